#!/usr/bin/env python3
"""Operations on spectra against NumPy and SciPy: prep.py [BUILD]

Makes cubes of float64, lets BUILD/hsload and BUILD/hsprep (default: build) work on them, and compares with savgol_filter,
gradient, polyfit, CubicSpline, interp, sparse solutions of the penalised least squares, root finding for the likelihood, and a matrix of the
blurring. Exit status 0 agrees, 1 differs, 77 skipped."""
import os
import subprocess
import sys
import tempfile

try:
    import h5py
    import numpy as np
    import scipy.interpolate
    import scipy.ndimage
    import scipy.optimize
    import scipy.signal
    import scipy.sparse as sparse
    import scipy.sparse.linalg
except ImportError as e:
    print("1..0 # skip: %s" % e)
    sys.exit(77)

BUILD = os.path.abspath(sys.argv[1] if len(sys.argv) > 1 else "build")
count = failures = 0
N = 200
E = 100 + 0.5 * np.arange(N)


def check(ok, text):
    global count, failures
    count += 1
    failures += not ok
    print("%s %d - %s" % ("ok" if ok else "not ok", count, text))


def near(name, got, want, tolerance=1e-8):
    worst = np.abs(got - want).max() / np.abs(want).max() if got.shape == want.shape else np.inf
    check(worst <= tolerance, "%s: largest difference %.1e of the largest value" % (name, worst))


def tool(*words):
    subprocess.run([os.path.join(BUILD, words[0]), "-q", "-f", *words[1:]], check=True)


def load(name, x, axes, *calibration):
    np.save("array.npy", x)
    tool("hsload", "-a", axes, "array.npy", "-o", "plain.nxs")
    tool("hsprep", *calibration, "plain.nxs", "-o", name)


def prep(name, *operations):
    """Cube and spectral axis after the operations."""
    tool("hsprep", *operations, name, "-o", "out.nxs")
    with h5py.File("out.nxs", "r") as f:
        g = f["entry/data"]
        axes = [k for k in ("energy", "wavelength", "wavenumber") if k in g]
        return g["data"][()], g[axes[0]][()]


def each(function, x):
    return np.array([function(y) for y in x.reshape(-1, x.shape[-1])]).reshape(x.shape[:-1] + (-1,))


# ---------------------------------------------------------------- what the answers are

D = sparse.diags([1, -2, 1], [0, 1, 2], shape=(N - 2, N))


def whittaker(y, lam, w=np.ones(N)):
    return sparse.linalg.spsolve(sparse.csc_matrix(sparse.diags(w) + lam * D.T @ D), w * y)


def als(y, lam, p):
    w = np.ones(N)
    for _ in range(50):
        z = whittaker(y, lam, w)
        now = np.where(y > z, p, 1 - p)
        if (now == w).all():
            break
        w = now
    return y - z


def arpls(y, lam):
    w = np.ones(N)
    for _ in range(100):
        z = whittaker(y, lam, w)
        d = y - z
        m, s = d[d < 0].mean(), d[d < 0].std(ddof=1)
        now = 1 / (1 + np.exp(np.minimum(2 * (d - (2 * s - m)) / s, 60)))
        done = np.linalg.norm(now - w) < 1e-6 * np.linalg.norm(w)
        w = now
        if done:
            break
    return y - z


def likeliest(y, place, window):
    """Poisson likelihood of exp(a - r place) in the window: both derivatives vanish."""
    x, c = place[window], y[window]

    def slope(p):
        rest = np.exp(p[0] - p[1] * x) - c
        return [rest.sum() / c.sum(), (rest * x).sum() / c.sum()]
    start = np.polyfit(x, np.log(np.maximum(c, 0.5)), 1)
    a, r = scipy.optimize.root(slope, [start[1], -start[0]], tol=1e-14).x
    return np.exp(a - r * place)


def snip(y, reach):
    z = y.copy()
    for p in range(reach, 0, -1):
        z[p:-p] = np.minimum(z[p:-p], (z[:-2 * p] + z[2 * p:]) / 2)
    return y - z


def richardson_lucy(y, k, rounds):
    top = k.argmax()
    h = np.array([[k[i - j + top] if 0 <= i - j + top < len(k) else 0 for j in range(N)] for i in range(N)]) / k.sum()
    share = h.sum(0)
    z = np.full(N, y.sum() / share.sum())
    for _ in range(rounds):
        z = z * (h.T @ (y / (h @ z))) / share
    return z


# ---------------------------------------------------------------- and what comes out

def smoothing(x):
    for window, order in (1, 0), (11, 3), (21, 5), (199, 2):
        near("savgol %d, %d" % (window, order), prep("x.nxs", "--smooth", "savgol:%d,%d" % (window, order))[0],
             scipy.signal.savgol_filter(x, window, order, mode="interp"))
    for d, window, order in (1, 7, 2), (2, 15, 4), (3, 21, 5), (4, 31, 4):
        how = "%d,%d,%d" % (d, window, order)
        near("derivative by savgol " + how, prep("x.nxs", "--derivative", how)[0],
             scipy.signal.savgol_filter(x, window, order, deriv=d, delta=0.5))
    near("first derivative", prep("x.nxs", "--derivative", "1")[0], np.gradient(x, E, axis=-1, edge_order=2), 1e-12)
    uneven, w = prep("x.nxs", "--convert", "nm,values", "--derivative", "1")
    near("first derivative on uneven steps", uneven, np.gradient(x[..., ::-1], w, axis=-1, edge_order=2), 1e-11)
    for lam in 1.0, 1e4, 1e7:
        near("whittaker %g" % lam, prep("x.nxs", "--smooth", "whittaker:%g" % lam)[0], each(lambda y: whittaker(y, lam), x))
    g = np.exp(-4 * np.log(2) * ((E[:, None] - E) / 5) ** 2)
    g[g < 1e-8] = 0
    near("gaussian", prep("x.nxs", "--smooth", "gaussian:5eV")[0], x @ (g / g.sum(1, keepdims=True)).T, 1e-7)


def baselines(x):
    t = np.linspace(-1, 1, N)
    for n in 0, 1, 5, 9:
        near("poly %d" % n, prep("x.nxs", "--baseline", "poly:%d" % n)[0],
             each(lambda y: y - np.polyval(np.polyfit(t, y, n), t), x))
    near("als", prep("x.nxs", "--baseline", "als:1e5,0.02")[0], each(lambda y: als(y, 1e5, 0.02), x))
    near("arpls", prep("x.nxs", "--baseline", "arpls:1e5")[0], each(lambda y: arpls(y, 1e5), x))
    near("snip", prep("x.nxs", "--baseline", "snip:12")[0], each(lambda y: snip(y, 12), x), 1e-13)
    low = scipy.ndimage.grey_opening(x, (1, 1, 21), mode="nearest")
    want = x - np.minimum(x, scipy.ndimage.uniform_filter1d(low, 21, mode="nearest"))
    near("ball, 20 channels from the ends", prep("x.nxs", "--baseline", "ball:10eV")[0][..., 20:-20], want[..., 20:-20], 1e-12)


def backgrounds(counts):
    window = (E >= 120) & (E <= 150)
    for law, place in ("powerlaw", np.log(E / 135)), ("exponential", (E - 135) / 15):
        want = each(lambda y: np.where((E >= 120) | (law != "powerlaw"), y - likeliest(y, place, window), 0), counts)
        near(law, prep("counts.nxs", "--background", law + ":120:150")[0], want)
    near("line", prep("counts.nxs", "--background", "line:120:150eV")[0],
         each(lambda y: y - np.polyval(np.polyfit(E[window] - 135, y[window], 1), E - 135), counts))


def axes(x):
    for n in 37, 317:
        grid = np.linspace(E[0], E[-1], n)
        near("linear onto %d" % n, prep("x.nxs", "--resample", "%d" % n)[0], each(lambda y: np.interp(grid, E, y), x), 1e-12)
        near("cubic onto %d" % n, prep("x.nxs", "--resample", "%d,cubic" % n)[0],
             scipy.interpolate.CubicSpline(E, x, axis=-1, bc_type="natural")(grid), 1e-12)
    y, w = prep("x.nxs", "--convert", "nm")
    near("wavelength", w, 1239.8419843320026 / E[::-1], 1e-14)
    edges = np.r_[w[0] - (w[1] - w[0]) / 2, (w[1:] + w[:-1]) / 2, w[-1] + (w[-1] - w[-2]) / 2]
    grid = np.linspace(edges[0], edges[-1], 78)
    sums = np.concatenate([np.zeros(y.shape[:-1] + (1,)), np.cumsum(y * np.diff(edges), -1)], -1)
    near("integral over 77 channels", prep("x.nxs", "--convert", "nm", "--resample", "77,integral")[0],
         each(lambda c: np.diff(np.interp(grid, edges, c)), sums) / (grid[1] - grid[0]), 1e-11)


def sharpening(x):
    kernel = np.exp(-np.arange(-6, 7) ** 2 / 8.0)
    kernel[7] += 0.3
    load("kernel.nxs", kernel, "energy", "--calibrate", "energy=0,0.5,eV")
    near("richardson-lucy", prep("x.nxs", "--deconvolve", "rl:kernel.nxs,7")[0],
         each(lambda y: richardson_lucy(y, kernel, 7), x), 1e-11)


def scattering():
    """Spectra made by the theory: j = z exp(s), plural = k j; what comes back is z s and k z."""
    n, m = 600, 4096
    e = 0.25 * np.arange(n) - 20
    pad = lambda y: np.fft.fft(np.r_[y, np.zeros(m - n)])
    back = lambda f: np.fft.ifft(f).real[:n]
    z, s, k = 1e5 * np.exp(-(e / 0.5) ** 2), np.zeros(m), np.zeros(m)
    loss = e[e > 6]
    s[np.arange(80, n)[e[80:] > 6] - 80] = 0.03 * np.exp(-((loss - 14) / 2.5) ** 2) + 0.01 * np.exp(-((loss - 22) / 4) ** 2)
    k[50:70] = np.linspace(1, 0, 20)
    j, single = back(pad(z) * np.exp(np.fft.fft(s))), back(pad(z) * np.fft.fft(s))
    calibration = "--calibrate", "energy=-20,0.25,eV"
    load("low.nxs", j, "energy", *calibration)
    load("cube.nxs", j * np.array([[[1.0]], [[3]]]), "y,x,energy", *calibration)
    got = prep("cube.nxs", "--deconvolve", "fourier-log:3eV")[0]
    near("fourier-log", got, np.stack([single, 3 * single])[:, None], 1e-6)
    load("core.nxs", back(np.fft.fft(k) * pad(j)).reshape(1, 1, n), "y,x,energy", *calibration)
    got = prep("core.nxs", "--deconvolve", "fourier-ratio:low.nxs,3eV")[0][0, 0]
    near("fourier-ratio", got, back(np.fft.fft(k) * pad(z)), 1e-6)


def main():
    rng = np.random.default_rng(3)
    i = np.arange(N)
    x = rng.poisson(50 + 400 * np.exp(-((i - 80) / 6) ** 2) + 0.3 * i, size=(2, 3, N)) + 0.25
    counts = rng.poisson(3e9 * E ** -2.5 * rng.uniform(0.01, 2, (4, 3, 1))).astype(float)
    with tempfile.TemporaryDirectory() as folder:
        os.chdir(folder)
        load("x.nxs", x, "y,x,energy", "--calibrate", "energy=100,0.5,eV")
        load("counts.nxs", counts, "y,x,energy", "--calibrate", "energy=100,0.5,eV")
        smoothing(x)
        baselines(x)
        backgrounds(counts)
        axes(x)
        sharpening(x)
        scattering()
        os.chdir("/")
    print("1..%d" % count)
    return failures != 0


if __name__ == "__main__":
    sys.exit(main())
