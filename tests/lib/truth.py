#!/usr/bin/python3
"""What hsload makes of a real file, against what another program read from it: truth.py FOLDER FILE...

FOLDER/truth/KIND__NAME.json lists the data sets of FOLDER/KIND/NAME with shape, calibration, sum, single values and the sha256 of all
values (little endian, C order). Where a format has signals only, each must be found in the loaded file; of an HDF5 file, where the truth
lists axes and tables as well, each signal found must be one of them, and the main one as large as the largest measurement. Dimensions
may come in any order, axes turned round together with their data. Exit status 0 agrees, 1 differs."""
import hashlib
import itertools
import json
import math
import os
import re
import subprocess
import sys
import tempfile

import h5py
import numpy as np

bad = 0

SIGNALS_ONLY = ("3ds", "rpl", "npy", "hspy")


def fail(name, text):
    global bad
    bad += 1
    print("%s: %s" % (name, text))


def text(v):
    return v.decode() if isinstance(v, bytes) else str(v)


def clean(unit):
    """A unit as hsload writes it, for comparison: $nm$ and [nm] are nm, both micro signs are one."""
    unit = re.sub(r"[$\[\]{}_\\ ]|mathrm", "", unit or "").replace("\u03bc", "\u00b5").lower()
    return {"": "1", "<undefined>": "1", "undefined": "1", "none": "1", "a.u.": "a.u.", "um": "\u00b5m"}.get(unit, unit)


def signals(path):
    with h5py.File(path, "r") as f:
        for name in f["entry"]:
            g = f["entry"][name]
            if isinstance(g, h5py.Group) and text(g.attrs["NX_class"]) == "NXdata" and name not in ("sum_image", "mean_spectrum", "map"):
                axes = [g[text(a)] for a in g.attrs["axes"]]
                lists = [d[()] for d in g.values() if isinstance(d, h5py.Dataset) and d.ndim == 1]
                yield {"name": name, "data": g["data"][()], "lists": lists,
                       "axes": [(os.path.basename(a.name), text(a.attrs["units"]), a[()].astype(float)) for a in axes]}


def digest(array, dtype):
    return hashlib.sha256(np.ascontiguousarray(array, dtype=np.dtype(dtype).newbyteorder("<")).tobytes()).hexdigest()


def squeezed(shape):
    return sorted(n for n in shape if n > 1)


def arrangements(found, wanted):
    """Every way to see the array found as one of shape wanted: axes permuted and turned round; the truth may have a USID table."""
    drop = found.reshape([n for n in found.shape if n > 1])
    keep = [i for i, n in enumerate(found.shape) if n > 1]
    want = [n for n in wanted if n > 1]
    orders = itertools.permutations(range(drop.ndim)) if drop.ndim <= 5 else [tuple(range(drop.ndim))]
    for order in orders:
        turned = drop.transpose(order)
        if turned.size != math.prod(wanted) or (list(turned.shape) != want and len(want) > 2):
            continue
        if list(turned.shape) != want and not any(
                math.prod(turned.shape[:i]) == math.prod(want[:1]) for i in range(turned.ndim + 1)):
            continue
        for flips in itertools.product((False, True), repeat=drop.ndim):
            view = turned[tuple(slice(None, None, -1) if f else slice(None) for f in flips)]
            yield view, [keep[i] for i in order], flips


def axis_faults(truth, s, order, flips):
    """What is wrong with the calibration of signal s, seen as the truth has it; and how many axes could be compared."""
    faults, compared = [], 0
    long_axes = [a for a in truth.get("axes") or [] if a.get("size", 0) > 1]
    if len(long_axes) != len(order):
        return faults, compared
    for a, i, flip in zip(long_axes, order, flips):
        label, units, value = s["axes"][i]
        value = value[::-1] if flip else value
        if "sweep_start_end_of_first_pixel" in a:
            ends = a["sweep_start_end_of_first_pixel"]
            if not np.allclose([value[0], value[-1]], ends, rtol=1e-6):
                faults.append("axis %s runs %g .. %g, the truth says %g .. %g" % (label, value[0], value[-1], *ends))
            compared += 1
        elif a.get("scale") is not None and a.get("offset") is not None and a.get("uniform", True):
            want = a["offset"] + a["scale"] * np.arange(len(value))
            if np.abs(value - want).max() > 1e-6 * abs(a["scale"]) * len(value):
                faults.append("axis %s is %.9g + %.9g i %s, the truth says %.9g + %.9g i %s" % (
                    label, value[0], value[1] - value[0], units, a["offset"], a["scale"], a.get("units")))
            elif a.get("units") and clean(units) != clean(a["units"]):
                faults.append("axis %s is in %s, the truth says %s" % (label, units, a["units"]))
            compared += 1
    return faults, compared


def value_faults(truth, view):
    if truth.get("sum") is not None and truth["dtype"][0] in "fiu":
        total, size = np.nansum(view.astype(float)), np.nansum(np.abs(view.astype(float)))
        if abs(total - truth["sum"]) > 1e-9 * size:
            yield "sum %.15g, the truth says %.15g" % (total, truth["sum"])
    if list(view.shape) == list(truth["shape"]):
        for sample in truth.get("samples", []):
            value = view[tuple(sample["index"])]
            if isinstance(sample["value"], (int, float)) and not np.isclose(float(value), sample["value"], rtol=1e-12, atol=0):
                yield "%s is %r, the truth says %r" % (sample["index"], value, sample["value"])


def match(truth, s):
    """None when signal s is not that data set; else its faults (of the best way to see it) and the number of axes compared.
    Symmetric values can be seen in several ways."""
    best = None
    if s["data"].size != math.prod(truth["shape"]):
        return None
    for view, order, flips in arrangements(s["data"], truth["shape"]):
        if digest(view, truth["dtype"]) == truth["sha256_le_c"]:
            faults, compared = axis_faults(truth, s, order, flips)
            faults += value_faults(truth, view)
            if best is None or len(faults) < len(best[0]):
                best = faults, compared
    return best


def show(s):
    return "%s %s (sum %.12g)" % (s["name"], "x".join(map(str, s["data"].shape)), np.nansum(np.abs(s["data"]), dtype=float))


def one(folder, path, name):
    with open(os.path.join(folder, "truth", name.replace("/", "__") + ".json")) as f:
        truth = json.load(f)
    kind = name.split("/")[0] if not name.startswith("variants/") else name.rsplit(".", 1)[1]
    with tempfile.TemporaryDirectory() as work:
        out = os.path.join(work, "out.nxs")
        run = subprocess.run(["hsload", "-q", path, "-o", out], capture_output=True, text=True)
        if run.returncode:
            return fail(name, "status %d: %s" % (run.returncode, run.stderr.strip()))
        found = list(signals(out))
    arrays = [d for d in truth["datasets"] if d.get("sha256_le_c") and d["dtype"] not in ("object", "struct") and math.prod(d["shape"]) > 1]
    pairs = [(d, [s for s in found if match(d, s)]) for d in arrays]
    compared = 0
    for d, same in pairs:
        if not same:
            if kind in SIGNALS_ONLY:
                fail(name, "%s (%s %s, sum %s) is not among: %s" % (d["name"], "x".join(map(str, d["shape"])), d["dtype"], d.get("sum"),
                                                                   ", ".join(map(show, found))))
            continue
        faults, n = min((match(d, s) for s in same), key=lambda m: len(m[0]))
        compared += n
        for text_ in faults:
            fail(name, "%s: %s" % (d["name"], text_))
    if kind not in SIGNALS_ONLY:
        for s in found:
            if not any(s is t for _, same in pairs for t in same):
                fail(name, "%s is no array of the file" % show(s))
        main = next(s for s in found if s["name"] == "data")
        measured = [d for d in arrays if len(d["shape"]) > 1 and not d["name"].endswith(("_Indices", "_Values"))]
        if measured and main["data"].size < max(math.prod(d["shape"]) for d in measured):
            fail(name, "the main signal %s is not the largest measurement" % show(main))
        # the axes are arrays of the file themselves; one that goes up and down is kept beside an index
        for label, _, value in main["axes"]:
            for d in arrays:
                if squeezed(d["shape"]) == [len(value)] and d["name"].split("/")[-1].lower() == label.lower():
                    candidates = [v for v in main["lists"] if v.size == value.size and v.dtype.kind in "fiu"]
                    if not any(d["sha256_le_c"] in (digest(v, d["dtype"]), digest(v[::-1], d["dtype"])) for v in candidates):
                        fail(name, "axis %s is not the file's %s" % (label, d["name"]))
                    compared += 1
    print("%s: %d signals, %d axes compared" % (name, len(found), compared))


def main():
    folder = sys.argv[1]
    for path in sys.argv[2:]:
        name = os.path.relpath(path, folder)
        if os.path.exists(os.path.join(folder, "truth", name.replace("/", "__") + ".json")):
            one(folder, path, name)
    return 1 if bad else 0


if __name__ == "__main__":
    sys.exit(main())
