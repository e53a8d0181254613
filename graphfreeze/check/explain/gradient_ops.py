"""Which ops pass a gradient on, as TensorFlow 2.21 registers it (1.15 knows fewer).

Only ops are listed that take and give what can have a gradient: floating and complex numbers,
resources and variants. All others cut it by their types, as ArgMax, Shape and comparisons do.
tests/tf/test_explain.py compares these lists with the registry of the TensorFlow that is there.
"""

from graphfreeze.model.attrs import COMPLEX, FLOATING
from graphfreeze.schema import types_pb2

TRAINABLE_TYPES = FLOATING | COMPLEX | {types_pb2.DT_RESOURCE, types_pb2.DT_VARIANT}
STOP = "StopGradient"
# Without a gradient of their own these get one by SymbolicGradient, for every input.
CALLS = frozenset({"PartitionedCall", "StatefulPartitionedCall"})
# tf.gradients raises an error where it meets one of these, as for an op without any entry.
RAISES = {
    "EagerPyFunc": "its gradient was a Python function, which the graph does not hold",
    "PreventGradient": "it is there to make tf.gradients raise an error",
    "SparseDenseCwiseAdd": "its gradient is not implemented",
    "XlaClusterOutput": "gradients of what xla.compile made are forbidden",
}
# Steps are flat: these have an entry, and it gives None for each of their inputs.
FLAT = frozenset({"Ceil", "Floor", "FloorDiv", "Rint", "Round", "TruncateDiv"})
# The gradient is there, and zero everywhere; of batch norms that of all outputs but the first.
ZERO = frozenset({"Sign"})
ZERO_BUT_FIRST = frozenset({"FusedBatchNorm", "FusedBatchNormV2", "FusedBatchNormV3"})
_TENSOR_ARRAY = ("Concat", "Gather", "Read", "Scatter", "Split", "Write")
# Arguments that could have a gradient by their type, and get none; ids, axes, shapes are integers.
NO_GRADIENT_TO: dict[str, frozenset[str]] = {
    "Betainc": frozenset({"a", "b"}),
    "CopyToMeshGrad": frozenset({"forward_input"}),
    "FusedBatchNormGrad": frozenset({"reserve_space_1", "reserve_space_2"}),
    "FusedBatchNormGradV2": frozenset({"reserve_space_1", "reserve_space_2"}),
    "FusedBatchNormGradV3": frozenset({"reserve_space_1", "reserve_space_2", "reserve_space_3"}),
    "PadV2": frozenset({"constant_values"}),
    "Polygamma": frozenset({"a"}),
    "Print": frozenset({"data"}),
    "QuantizeAndDequantizeV2": frozenset({"input_min", "input_max"}),
    "QuantizeAndDequantizeV3": frozenset({"input_min", "input_max"}),
    "RelayoutLike": frozenset({"layout_input"}),
    "ScaleAndTranslate": frozenset({"scale", "translation"}),
    "SparseAdd": frozenset({"thresh"}),
    "Zeta": frozenset({"x"}),
    **dict.fromkeys(sorted(ZERO_BUT_FIRST), frozenset({"mean", "variance"})),
    **{
        f"Matrix{op}": frozenset({"padding_value"})
        for op in ("DiagV2", "DiagV3", "DiagPartV2", "DiagPartV3")
    },
    **{f"TensorArray{op}V3": frozenset({"handle"}) for op in _TENSOR_ARRAY},
}

# tf.no_gradient was called for these: they give None, and tf.gradients goes on without them.
_NOT_DIFFERENTIABLE = """
    Assign AssignAdd AssignSub CTCBeamSearchDecoder CTCGreedyDecoder DrawBoundingBoxes
    EditDistance ExtractGlimpse FakeQuantWithMinMaxArgsGradient FakeQuantWithMinMaxVarsGradient
    FakeQuantWithMinMaxVarsPerChannelGradient GenerateBoundingBoxProposals GetSessionHandleV2
    HSVToRGB LinSpace LoadAndRemapMatrix LookupTableFind LookupTableFindV2
    MutableDenseHashTableV2 OneHot OnesLike ParameterizedTruncatedNormal PyFunc PyFuncStateless
    RaggedRange RandomCrop RandomShuffle Range ReduceDataset ResizeBilinearGrad
    SampleDistortedBoundingBox SampleDistortedBoundingBoxV2 ScatterAdd ScatterDiv ScatterMul
    ScatterNdAdd ScatterNdSub ScatterNdUpdate ScatterSub SdcaOptimizer SdcaOptimizerV2
    SparseAddGrad SparseConcat StackPush StatelessRandomBinomial StatelessRandomPoisson
    StopGradient TPUReplicatedInput TensorArrayGradV3 TensorArrayGradWithShape
    TensorListConcatLists TensorListPushBackBatch XlaVariadicReduce ZerosLike
"""

_DIFFERENTIABLE = """
    Abs AccumulateNV2 Acos Acosh Add AddN AddV2 AllToAll Angle ApproxTopK Asin Asinh Atan Atan2
    Atanh AvgPool AvgPool3D AvgPool3DGrad AvgPoolGrad BandedTriangularSolve BatchMatMul
    BatchMatMulV2 BatchMatMulV3 BatchNormWithGlobalNormalization BatchToSpace BatchToSpaceND
    BesselI0 BesselI0e BesselI1 BesselI1e BesselJ0 BesselJ1 BesselK0 BesselK0e BesselK1
    BesselK1e BesselY0 BesselY1 Betainc BiasAdd BiasAddGrad BiasAddV1 BlockLSTM BlockLSTMV2
    BroadcastTo CSRSparseMatrixToDense CSRSparseMatrixToSparseTensor CTCLoss CTCLossV2 Case Cast
    CheckNumerics CheckNumericsV2 Cholesky ClipByValue CollectivePermute Complex ComplexAbs
    CompositeTensorVariantFromComponents CompositeTensorVariantToComponents Concat ConcatV2 Conj
    ConjugateTranspose Conv2D Conv2DBackpropFilter Conv2DBackpropInput Conv3D
    Conv3DBackpropFilterV2 Conv3DBackpropInputV2 CopyToMesh CopyToMeshGrad Cos Cosh
    CropAndResize Cross CrossReplicaSum CudnnRNN CudnnRNNV2 CudnnRNNV3 Cumprod Cumsum
    CumulativeLogsumexp Dawsn DebugGradientIdentity DebugGradientRefIdentity DebugIdentityV2
    DenseToCSRSparseMatrix DepthToSpace DepthwiseConv2dNative
    DepthwiseConv2dNativeBackpropFilter DepthwiseConv2dNativeBackpropInput Diag DiagPart Digamma
    Dilation2D Div DivNoNan DynamicPartition DynamicStitch Eig Einsum Elu EluGrad EnsureShape
    Enter Erf Erfc Erfinv EuclideanNorm Exit Exp ExpandDims Expint Expm1 ExtractImagePatches
    ExtractVolumePatches FFT FFT2D FFT3D FakeQuantWithMinMaxArgs FakeQuantWithMinMaxVars
    FakeQuantWithMinMaxVarsPerChannel Fill FloorMod FractionalAvgPool FractionalMaxPool
    FresnelCos FresnelSin FusedBatchNorm FusedBatchNormGrad FusedBatchNormGradV2
    FusedBatchNormGradV3 FusedBatchNormV2 FusedBatchNormV3 Gather GatherNd GatherV2 IFFT IFFT2D
    IFFT3D IRFFT IRFFT2D Identity IdentityN If Igamma Igammac Imag ImageProjectiveTransformV2
    ImageProjectiveTransformV3 Inv InvGrad IsotonicRegression L2Loss LRN LeakyRelu LeakyReluGrad
    Lgamma Log Log1p LogMatrixDeterminant LogSoftmax MatMul MatrixBandPart MatrixDeterminant
    MatrixDiag MatrixDiagPart MatrixDiagPartV2 MatrixDiagPartV3 MatrixDiagV2 MatrixDiagV3
    MatrixInverse MatrixSetDiag MatrixSetDiagV2 MatrixSetDiagV3 MatrixSolve MatrixSolveLs
    MatrixSquareRoot MatrixTriangularSolve Max MaxPool MaxPool3D MaxPool3DGrad MaxPool3DGradGrad
    MaxPoolGrad MaxPoolGradGrad MaxPoolGradV2 MaxPoolV2 MaxPoolWithArgmax Maximum Mean Merge Min
    Minimum MirrorPad MirrorPadGrad Mul MulNoNan NcclAllReduce NcclBroadcast NcclReduce Ndtri
    Neg NextAfter NextIteration NthElement OptionalFromValue OptionalGetValue Pack Pad PadV2
    ParallelDynamicStitch PlaceholderWithDefault Polygamma Pow Print Prod Qr
    QuantizeAndDequantize QuantizeAndDequantizeV2 QuantizeAndDequantizeV3
    QuantizeAndDequantizeV4 QuantizeAndDequantizeV4Grad RFFT RFFT2D RGBToHSV RaggedFillEmptyRows
    RaggedGather RaggedTensorFromVariant RaggedTensorToSparse RaggedTensorToTensor
    RaggedTensorToVariant RandomGamma ReadVariableOp Real RealDiv Reciprocal ReciprocalGrad
    RefEnter RefExit RefIdentity RefMerge RefNextIteration RefSwitch Relayout RelayoutLike Relu
    Relu6 Relu6Grad ReluGrad Reshape ResizeBicubic ResizeBilinear ResizeNearestNeighbor
    ResourceGather ResourceGatherNd Reverse ReverseSequence ReverseV2 Roll Rsqrt RsqrtGrad
    ScaleAndTranslate ScatterNd ScatterNdNonAliasingAdd SegmentMax SegmentMean SegmentMin
    SegmentProd SegmentSum Select SelectV2 SelfAdjointEigV2 Selu SeluGrad Sigmoid SigmoidGrad
    Sign Sin Sinh Slice Softmax SoftmaxCrossEntropyWithLogits Softplus SoftplusGrad Softsign
    SpaceToBatch SpaceToBatchND SpaceToDepth SparseAdd SparseDenseCwiseDiv SparseDenseCwiseMul
    SparseFillEmptyRows SparseMatMul SparseMatrixAdd SparseMatrixMatMul SparseMatrixMul
    SparseMatrixSoftmax SparseMatrixSparseMatMul SparseMatrixTranspose SparseReduceSum
    SparseReorder SparseSegmentMean SparseSegmentMeanWithNumSegments SparseSegmentSqrtN
    SparseSegmentSqrtNWithNumSegments SparseSegmentSum SparseSegmentSumWithNumSegments
    SparseSlice SparseSoftmax SparseSoftmaxCrossEntropyWithLogits SparseSparseMaximum
    SparseSparseMinimum SparseTensorDenseAdd SparseTensorDenseMatMul
    SparseTensorToCSRSparseMatrix SparseToDense Spence Split SplitV Sqrt SqrtGrad Square
    SquaredDifference Squeeze StatelessCase StatelessIf StatelessParameterizedTruncatedNormal
    StatelessRandomGammaV2 StatelessRandomGammaV3 StatelessWhile StridedSlice StridedSliceGrad
    Sub Sum Svd Switch TPUEmbeddingActivations Tan Tanh TanhGrad TensorArrayConcat
    TensorArrayConcatV2 TensorArrayConcatV3 TensorArrayGather TensorArrayGatherV2
    TensorArrayGatherV3 TensorArrayRead TensorArrayReadV2 TensorArrayReadV3 TensorArrayScatter
    TensorArrayScatterV2 TensorArrayScatterV3 TensorArraySplit TensorArraySplitV2
    TensorArraySplitV3 TensorArrayWrite TensorArrayWriteV2 TensorArrayWriteV3 TensorListConcat
    TensorListConcatV2 TensorListFromTensor TensorListGather TensorListGetItem TensorListPopBack
    TensorListPushBack TensorListResize TensorListScatter TensorListScatterIntoExistingList
    TensorListScatterV2 TensorListSetItem TensorListSplit TensorListStack TensorScatterAdd
    TensorScatterMax TensorScatterMin TensorScatterSub TensorScatterUpdate
    TensorStridedSliceUpdate Tile TopK TopKV2 Transpose TridiagonalMatMul TridiagonalSolve
    Unpack UnsortedSegmentMax UnsortedSegmentMin UnsortedSegmentProd UnsortedSegmentSum While
    Xdivy XlaEinsum XlaSharding XlaSpmdFullToShardShape XlaSpmdShardToFullShape Xlog1py Xlogy
    Zeta
"""

NOT_DIFFERENTIABLE = frozenset(_NOT_DIFFERENTIABLE.split())
DIFFERENTIABLE = frozenset(_DIFFERENTIABLE.split())
