#!/usr/bin/python3
"""One small data set in every format: small.py KIND FILE writes it, small.py --check KIND FILE.nxs looks at what was loaded
(kind scatter: only some of its pixels, as points; not checked).

4 x 5 pixels of 30 channels; value = 100 y + 10 x + channel / 4 + 1, exact in float32; y from 3 in steps of 0.5 nm, x from
-2 in steps of 0.25 nm, energy from 10 in steps of 2 eV. What a format cannot say, the check does not ask for."""
import sys

import numpy as np

NY, NX, NE = 4, 5, 30
Y, X, E = 3 + 0.5 * np.arange(NY), -2 + 0.25 * np.arange(NX), 10 + 2.0 * np.arange(NE)
VALUES = (100 * np.arange(NY)[:, None, None] + 10 * np.arange(NX)[None, :, None] + np.arange(NE) / 4 + 1).astype("f4")
KINDS = "npy rpl 3ds hspy nsid usid nexus emd hdf5".split()


def npy(path):
    np.save(path, VALUES)


def rpl(path):
    VALUES.astype(">f4").tofile(path[:-4] + ".raw")
    with open(path, "w") as f:
        f.write("key\tvalue\nwidth\t%d\nheight\t%d\ndepth\t%d\noffset\t0\ndata-length\t4\ndata-type\tfloat\n"
                "byte-order\tbig-endian\nrecord-by\tvector\ndepth-scale\t2\ndepth-origin\t10\ndepth-units\teV\n"
                "width-scale\t0.25\nwidth-origin\t-2\nwidth-units\tnm\nheight-scale\t0.5\nheight-origin\t3\n"
                "height-units\tnm\n" % (NX, NY, NE))


def nanonis3ds(path):
    size, centre = (NX * 0.25e-9, NY * 0.5e-9), ((X[0] + X[-1]) / 2 * 1e-9, (Y[0] + Y[-1]) / 2 * 1e-9)
    with open(path, "wb") as f:
        f.write(('Grid dim="%d x %d"\r\nGrid settings=%.9E;%.9E;%.9E;%.9E;0.000000E+00\r\nFiletype=Linear\r\n'
                 'Sweep Signal="Energy (eV)"\r\nFixed parameters="Sweep Start;Sweep End"\r\n'
                 'Experiment parameters="X (m);Y (m);Z (m)"\r\n# Parameters (4 byte)=5\r\nExperiment size (bytes)=%d\r\n'
                 'Points=%d\r\nChannels="Current (A)"\r\nExperiment="Grid Spectroscopy"\r\n'
                 'Start time="01.02.2024 03:04:05"\r\n:HEADER_END:\r\n' % (NX, NY, *centre, *size, 4 * NE, NE)).encode("latin-1"))
        for y in range(NY):
            for x in range(NX):
                np.array([E[0], E[-1], X[x] * 1e-9, Y[y] * 1e-9, 0, *VALUES[y, x]], ">f4").tofile(f)


def hspy(path):
    import h5py
    with h5py.File(path, "w") as f:
        f.attrs["file_format"], f.attrs["file_format_version"] = "HyperSpy", "3.1"
        g = f.create_group("Experiments/small")
        g["data"] = VALUES
        for i, (name, axis, units) in enumerate((("y", Y, "nm"), ("x", X, "nm"), ("energy", E, "eV"))):
            a = g.create_group("axis-%d" % i).attrs
            a["name"], a["units"], a["size"], a["scale"], a["offset"], a["navigate"] = (
                name, units, len(axis), axis[1] - axis[0], axis[0], i < 2)
        g.create_group("metadata/General").attrs["title"] = "small"
        g.create_group("metadata/Signal").attrs["signal_type"] = ""


def nsid(path):
    import h5py
    with h5py.File(path, "w") as f:
        g = f.create_group("Measurement_000/Channel_000/generic")
        d = g.create_dataset("generic", data=VALUES)
        d.attrs.update({"quantity": "intensity", "units": "counts", "data_type": "SPECTRAL_IMAGE", "modality": "test",
                        "source": "test", "pyNSID_version": "0.0.7", "main_data_name": "generic"})
        axes = (("y", Y, "nm", "SPATIAL"), ("x", X, "nm", "SPATIAL"), ("energy", E, "eV", "SPECTRAL"))
        for i, (name, axis, units, kind) in enumerate(axes):
            s = g.create_dataset(name, data=axis)
            s.attrs.update({"name": name, "units": units, "quantity": name, "dimension_type": kind})
            s.make_scale(name)
            d.dims[i].label = name
            d.dims[i].attach_scale(s)


def usid(path, rows=slice(None)):
    import h5py
    with h5py.File(path, "w") as f:
        g = f.create_group("Measurement_000/Channel_000")
        d = g.create_dataset("Raw_Data", data=VALUES.reshape(NY * NX, NE)[rows])
        d.attrs["quantity"], d.attrs["units"] = "intensity", "counts"
        iy, ix = np.divmod(np.arange(NY * NX)[rows], NX)
        tables = {"Position_Indices": (np.stack([ix, iy], 1).astype("u4"), ["x", "y"], ["nm", "nm"]),
                  "Position_Values": (np.stack([X[ix], Y[iy]], 1).astype("f4"), ["x", "y"], ["nm", "nm"]),
                  "Spectroscopic_Indices": (np.arange(NE, dtype="u4")[None], ["energy"], ["eV"]),
                  "Spectroscopic_Values": (E[None].astype("f4"), ["energy"], ["eV"])}
        for name, (values, labels, units) in tables.items():
            t = g.create_dataset(name, data=values)
            t.attrs["labels"], t.attrs["units"] = np.array(labels, "S"), np.array(units, "S")
            d.attrs[name] = t.ref


def scatter(path):
    """Some of the pixels, in no order: points."""
    usid(path, np.random.default_rng(5).permutation(NY * NX)[:13])


def nexus(path):
    import h5py
    with h5py.File(path, "w") as f:
        f.attrs["default"] = "scan"
        e = f.create_group("scan")
        e.attrs["NX_class"], e.attrs["default"] = "NXentry", "counts"
        g = e.create_group("counts")
        g.attrs["NX_class"], g.attrs["signal"], g.attrs["axes"] = "NXdata", "values", ["y", "x", "energy"]
        g["values"] = VALUES
        for name, axis, units in (("y", Y, "nm"), ("x", X, "nm"), ("energy", E, "eV")):
            g[name] = axis
            g[name].attrs["units"] = units


def emd(path):
    import h5py
    with h5py.File(path, "w") as f:
        f.attrs["version_major"], f.attrs["version_minor"] = 0, 2
        g = f.create_group("data/small")
        g.attrs["emd_group_type"] = 1
        g["data"] = VALUES
        for i, (name, axis, units) in enumerate((("y", Y, "nm"), ("x", X, "nm"), ("energy", E, "eV"))):
            g["dim%d" % (i + 1)] = axis
            g["dim%d" % (i + 1)].attrs.update({"name": name, "units": units})


def hdf5(path):
    import h5py
    with h5py.File(path, "w") as f:
        f["a/b/values"] = VALUES
        f["a/note"] = "text"


def check(kind, path):
    import h5py
    with h5py.File(path, "r") as f:
        g = f["entry/data"]
        names = [a.decode() if isinstance(a, bytes) else str(a) for a in g.attrs["axes"]]
        bad = [] if np.array_equal(g["data"][()], VALUES) else ["the values differ"]
        for name, want, unit in zip(names, (Y, X, E), ("nm", "nm", "eV")):
            a = g[name]
            factor = {"m": 1e-9, "nm": 1.0}.get(str(a.attrs["units"]), 1.0) if unit == "nm" else 1.0
            if kind in ("npy", "hdf5"):
                continue
            if not np.allclose(a[()], want * factor, rtol=1e-6, atol=1e-7 * factor):
                bad.append("axis %s is %s" % (name, a[()]))
            if str(a.attrs["units"]) not in ("m", unit):
                bad.append("axis %s is in %s" % (name, a.attrs["units"]))
    for line in bad:
        print("%s: %s" % (kind, line))
    return 1 if bad else 0


if __name__ == "__main__":
    if sys.argv[1] == "--kinds":
        print(*KINDS)
    elif sys.argv[1] == "--check":
        sys.exit(check(*sys.argv[2:]))
    else:
        (nanonis3ds if sys.argv[1] == "3ds" else globals()[sys.argv[1]])(sys.argv[2])
