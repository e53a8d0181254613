"""Ops that reach outside: files, the network, Python, or code that no graph shows.

To run a graph is to run a program. This is the one list of what ``verify`` refuses to run, each
with its reason. It was made from all ops that TensorFlow 1.15 and 2.21 register: by hand, from
those with state and those with an argument or attribute that names a file or an address. Ops
that are in neither registry are refused too: nothing says what they do.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from graphfreeze.model.functions import functions_run
from graphfreeze.model.graph import Graph
from graphfreeze.model.op_registry import load_shipped
from graphfreeze.schema import NodeDef

READS, WRITES, BOTH = "reads files", "writes files", "reads and writes files"
NETWORK, PYTHON = "talks to other machines", "calls Python"
HIDDEN, ENDS = "runs code that the graph does not show", "ends the process"
UNKNOWN = "is no op of TensorFlow, so nothing says what it does"

# By the name without "Experimental" in front and without a version behind.
_OPS_BY_REASON = {
    READS: "ReadFile MatchingFiles WholeFileReader TextLineReader FixedLengthRecordReader "
    "TFRecordReader LMDBReader RecordInput TFRecordDataset TextLineDataset "
    "FixedLengthRecordDataset CSVDataset SqlDataset LMDBDataset MatchingFilesDataset "
    "SequenceFileDataset "
    "LoadDataset SnapshotDatasetReader SnapshotNestedDatasetReader SnapshotChunkDataset "
    "ListSnapshotChunksDataset InitializeTableFromTextFile Restore RestoreSlice DTensorRestore "
    "LoadAndRemapMatrix GenerateVocabRemapping ImmutableConst FixedUnigramCandidateSampler "
    "Skipgram",
    WRITES: "WriteFile Save SaveSlices MergeV2Checkpoints DatasetToTFRecord SaveDataset "
    "DistributedSave DumpTensor CalibrationStatisticsSaver CreateSummaryFileWriter "
    "CreateSummaryDbWriter SummaryWriter FlushSummaryWriter CloseSummaryWriter ImportEvent "
    "WriteSummary WriteScalarSummary WriteHistogramSummary WriteImageSummary WriteAudioSummary "
    "WriteGraphSummary WriteRawProtoSummary StatsAggregatorSetSummaryWriter Print",
    BOTH: "CacheDataset SnapshotDataset FileSystemSetConfiguration DebugIdentity DebugNanCount "
    "DebugNumericSummary",
    NETWORK: "BigQueryReader GenerateBigQueryReaderPartitions BigtableClient BigtableTable "
    "BigtableLookupDataset BigtablePrefixKeyDataset BigtableRangeKeyDataset "
    "BigtableSampleKeysDataset BigtableSampleKeyPairsDataset BigtableScanDataset "
    "DatasetToBigtable Rpc TryRpc RpcCall RpcCheckStatus RpcClient RpcGetValue RpcServer "
    "RpcServerRegister RpcServerStart DataServiceDataset RegisterDataset GcsConfigureBlockCache "
    "GcsConfigureCredentials Send Recv _Send _Recv _HostSend _HostRecv CollectiveGather "
    "CollectiveReduce CollectiveReduceScatter CollectiveBcastSend CollectiveBcastRecv "
    "CollectiveAllToAll CollectivePermute CollectiveAssignGroup "
    "CollectiveInitializeCommunicator IgniteDataset KafkaDataset KinesisDataset",
    PYTHON: "PyFunc PyFuncStateless EagerPyFunc",
    HIDDEN: "DatasetFromGraph RemoteFusedGraphExecute XlaCallModule XlaCustomCall XlaHostCompute "
    "_XlaHostComputeMlir TPUCompile TPUExecute TPUExecuteAndUpdateVariables TPUPartitionedCall "
    "DeserializeIterator DecodeAudio EncodeAudio DecodeVideo",
    ENDS: "Abort",
}
UNSAFE = {op: reason for reason, ops in _OPS_BY_REASON.items() for op in ops.split()}
# What names the file; without it the op keeps to itself.
_PLACES = {"FixedUnigramCandidateSampler": "vocab_file", "Skipgram": "filename"}
_STREAMS = ("", "stdout", "stderr", "log(info)", "log(warning)", "log(error)")
_VERSION = re.compile(r"^Experimental|V\d+$")


@dataclass(frozen=True, slots=True)
class Unsafe:
    """A node that reaches outside, and why; ``node`` is ``function/node`` in a function body."""

    node: str
    op: str
    reason: str


def find_unsafe(graph: Graph, names: Iterable[str]) -> list[Unsafe]:
    """Return which of the nodes ``names`` reach outside, the bodies that they call included."""
    found: list[Unsafe] = []
    seen: set[str] = set()
    for name in names:
        node = graph.nodes.get(name)
        if node is None:
            continue
        found += _judged(graph, node, name)
        for function in functions_run(graph, node, seen):
            inner = {str(each.name): each for each in function.node_def}
            for each in function.node_def:
                found += _judged(graph, each, f"{function.signature.name}/{each.name}", inner)
    return found


def _judged(
    graph: Graph, node: NodeDef, told: str, inner: dict[str, NodeDef] | None = None
) -> list[Unsafe]:
    op = str(node.op)
    reason = _reason(graph, node, graph.nodes if inner is None else inner)
    return [] if reason is None else [Unsafe(told, op, reason)]


def _reason(graph: Graph, node: NodeDef, nodes: dict[str, NodeDef]) -> str | None:
    op = str(node.op)
    if op in graph.functions:
        return None
    if not any(op in release.ops for release in (load_shipped().tf1, load_shipped().tf2)):
        return UNKNOWN
    base = _VERSION.sub("", op) if op not in UNSAFE else op
    if base == "Print":
        stream = node.attr["output_stream"].s if "output_stream" in node.attr else b""
        return None if stream.decode(errors="replace") in _STREAMS else WRITES
    if base in _PLACES:
        place = _PLACES[base]
        return UNSAFE[base] if place not in node.attr or node.attr[place].s else None
    if base == "CacheDataset" and _is_empty(nodes, str(node.input[1])):
        return None
    return UNSAFE.get(base)


def _is_empty(nodes: dict[str, NodeDef], text: str) -> bool:
    """Tell whether a tensor is the constant '': a cache in memory."""
    source = nodes.get(text.partition(":")[0])
    return source is not None and source.op == "Const" and _only_empty(source)


def _only_empty(node: NodeDef) -> bool:
    tensor = node.attr["value"].tensor
    return not tensor.tensor_content and not any(tensor.string_val)
