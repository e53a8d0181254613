"""Draw step times against the height of the table."""

from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.ticker import FuncFormatter

from benchmarks.targets import FEW, HALF
from benchmarks.variants import ALL, MASK, OVERLAY, USUAL

COLORS = {ALL: "#555555", USUAL: "#c44e52", MASK: "#1f77b4", OVERLAY: "#2a9d5c"}
MARKERS = {ALL: "s", USUAL: "X", MASK: "o", OVERLAY: "^"}
KIND_STYLES = {"ref": "-", "resource": ":"}
ALPHAS = {"ref": 1.0, "resource": 0.6}
PANELS = [
    ("SGD", HALF, "sgd"),
    ("Adagrad", HALF, "adagrad"),
    ("Adam", HALF, "adam"),
    ("Adam", FEW, "adam"),
]


def draw(result: dict, path: Path) -> None:
    """Write a PNG: a panel for each optimizer, and one for few trainable rows."""
    figure = Figure(figsize=(17, 6.4), dpi=110, layout="constrained")
    axes = figure.subplots(1, len(PANELS), sharey=True)
    for place, (title, frozen, optimizer) in zip(axes, PANELS, strict=True):
        wanted = (frozen, optimizer)
        times = [t for t in result["times"] if (t["frozen"], t["optimizer"]) == wanted]
        _panel(place, times)
        place.set_title(f"{title}; frozen: {frozen}", fontsize=11)
    axes[0].set_ylabel("ms a step (log)")
    handles, labels = axes[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower center", ncols=len(labels), frameon=False)
    facts = result["machine"]
    figure.suptitle(
        f"A step of training a partly frozen table of {result['width']} columns, batch"
        f" {result['batch']}; TensorFlow {facts['tensorflow']}, {facts['cores']} cores"
        "\nnumbers, at the most rows, ref: times the step that trains all rows"
    )
    figure.savefig(path)


def _panel(axes: Axes, times: list[dict]) -> None:
    heights = sorted({each["height"] for each in times})
    for variant, color in COLORS.items():
        for kind, style in KIND_STYLES.items():
            own = [t for t in times if (t["variant"], t["kind"]) == (variant, kind)]
            if own:
                ms = {each["height"]: each["ms"] for each in own}
                ys = [ms[height] for height in heights]
                look = {"color": color, "marker": MARKERS[variant], "alpha": ALPHAS[kind]}
                axes.plot(heights, ys, style, label=f"{variant}, {kind}", **look)
    axes.set(xscale="log", yscale="log", xlabel="rows of the table (log)")
    axes.set_xticks(heights, [_short(height) for height in heights])
    axes.set_xticks([], minor=True)
    axes.set_xlim(heights[0] / 1.15, heights[-1] * 2.3)
    axes.margins(y=0.08)
    axes.yaxis.set_major_formatter(FuncFormatter(lambda y, _: f"{y:g}"))
    axes.grid(visible=True, which="major", alpha=0.3)
    last = [t for t in times if (t["height"], t["kind"]) == (heights[-1], "ref")]
    _annotate(axes, last)


def _annotate(axes: Axes, last: list[dict]) -> None:
    """Write beside the last points how they compare to training all rows."""
    floor = 0.0
    for each in sorted(last, key=lambda record: record["ms"]):
        floor = max(each["ms"], floor * 1.4)  # close ones would lie on each other
        ratio = each["ratios"].get(ALL, 1.0)
        number = (
            f"{ratio:,.0f}" if ratio >= 10 else f"{ratio:.2f}" if ratio >= 0.1 else f"{ratio:.4f}"
        )
        axes.annotate(
            "1" if each["variant"] == ALL else f"{number} x",
            (each["height"], floor),
            xytext=(9, 0),
            textcoords="offset points",
            color=COLORS[each["variant"]],
            va="center",
            fontweight="bold",
        )


def _short(height: int) -> str:
    return f"{height / 1e6:g} M" if height >= 1_000_000 else f"{height / 1e3:g} k"
