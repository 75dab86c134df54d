#!/usr/bin/env python3
"""Principal components against scipy's SVD: pca.py [BUILD]

Writes matrices to a temporary directory, lets the driver BUILD/unit/test_pca solve them (default: build) and compares
eigenvalues and subspaces. Minka's rank is compared with scikit-learn's when that is there. Exit status 0 agrees, 1 differs, 77 skipped.
"""
import os
import subprocess
import sys
import tempfile

try:
    import numpy as np
    import scipy.linalg
except ImportError as e:
    print("1..0 # skip: %s" % e)
    sys.exit(77)

try:
    from sklearn.decomposition._pca import _infer_dimension
except ImportError:
    _infer_dimension = None

count = failures = 0


def check(ok, text):
    global count, failures
    count += 1
    failures += not ok
    print("%s %d - %s" % ("ok" if ok else "not ok", count, text))


def solve(driver, x, k, centre, folder):
    path = os.path.join(folder, "matrix.f64")
    x.astype("<f8").tofile(path)
    n, p = x.shape
    out = subprocess.run([driver, path, str(n), str(p), str(k), centre], check=True, capture_output=True, text=True).stdout
    lines = out.splitlines()
    rank = int(lines[0].split()[1])
    loadings = np.array([[float(v) for v in line.split()] for line in lines[2:]])
    return rank, np.array([float(v) for v in lines[1].split()]), loadings


def prepared(x, centre):
    """The matrix whose SVD is wanted, in float64 two-pass arithmetic, and the divisor of its squares."""
    n = len(x)
    if centre == "poisson":
        g, h = np.maximum(x.sum(1), 0), np.maximum(x.sum(0), 0)
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.nan_to_num(x / np.sqrt(g[:, None] * h[None, :]), posinf=0), n
    y = x.copy()
    if centre == "both":
        y -= y.mean(1, keepdims=True)
    if centre in ("channel", "both"):
        y -= y.mean(0)
        y -= y.mean(0)
        n = max(n - 1, 1)
    return y, n


def compare(driver, name, x, k, centre, folder, tolerance=1e-10, angle=1e-8, matrix=None):
    """matrix: where the exact answer comes from when x itself has lost digits (a large offset)."""
    rank, eig, loadings = solve(driver, x, k, centre, folder)
    y, divisor = prepared(x if matrix is None else matrix, centre)
    _, s, vt = scipy.linalg.svd(y, full_matrices=False)
    want = s**2 / divisor
    label = "%s, %s" % (name, centre)
    if want[0] == 0 or want[0] < 1e-28 * np.abs(x).max() ** 2:
        check(np.all(eig <= 1e-28 * max(np.abs(x).max(), 1) ** 2), label + ": no variance")
        if centre == "poisson":   # scaled back with channel sums that are all zero
            check(not loadings.any(), label + ": loadings are zero")
        else:
            check(np.abs(loadings @ loadings.T - np.eye(len(loadings))).max() < 1e-12, label + ": orthonormal all the same")
        return
    # the products of rows or channels resolve eigenvalues down to rounding of the largest: relative above, absolute below
    far = want > 1e-4 * want[0]
    relative = np.abs(eig[far] / want[far] - 1).max()
    absolute = np.abs(eig - want).max() / want[0]
    check(len(eig) == len(want) and relative < tolerance, "%s: eigenvalues rel %.1e" % (label, relative))
    check(absolute < max(1e-12, tolerance * 1e-2), "%s: eigenvalues abs %.1e of the largest" % (label, absolute))
    real = want > 1e-9 * want[0]
    gaps = [i for i in range(1, min(k, real.sum()) + 1) if i == len(want) or want[i - 1] - want[i] > 1e-4 * want[0]]
    if centre == "poisson":
        root = np.sqrt(np.maximum(x.sum(0), 0))
        loadings = np.divide(loadings, root, out=np.zeros_like(loadings), where=root > 0)
    check(np.abs(loadings @ loadings.T - np.eye(len(loadings))).max() < 1e-12, label + ": orthonormal to 1e-12")
    if gaps:
        r = gaps[-1]
        found = scipy.linalg.subspace_angles(loadings[:r].T, vt[:r].T).max()
        check(found < angle, "%s: angle of the first %d %.1e" % (label, r, found))
    if _infer_dimension and x.shape[0] > x.shape[1] and real.all() and centre != "poisson":
        # scikit-learn's floor of 1e-15 is absolute, the evidence is not: compared on a scale of 1
        check(rank == _infer_dimension(want / want[0], x.shape[0]), "%s: Minka's rank %d is scikit-learn's" % (label, rank))


def scene(rng, n, p, r, noise):
    return rng.exponential(size=(n, r)) @ (rng.random((r, p)) * np.arange(1, r + 1)[:, None]) + noise * rng.normal(size=(n, p))


def main():
    driver = os.path.join(sys.argv[1] if len(sys.argv) > 1 else "build", "unit", "test_pca")
    rng = np.random.default_rng(1)
    with tempfile.TemporaryDirectory() as folder:
        for n, p, name in ((1500, 64, "tall"), (700, 300, "two tiles"), (50, 200, "fewer rows than channels"), (64, 64, "square")):
            x = scene(rng, n, p, 6, 0.1)
            for centre in ("none", "channel", "both"):
                compare(driver, name, x, 6, centre, folder)
            compare(driver, name, np.floor(20 * np.abs(x)), 6, "poisson", folder)
        for n, p, name in ((900, 40, "offset 1e8"), (30, 40, "offset 1e8, fewer rows")):
            x = scene(rng, n, p, 3, 0.05)
            for centre in ("channel", "both"):
                compare(driver, name, x + 1e8, 3, centre, folder, tolerance=1e-6, angle=1e-5, matrix=x)
        for n, p, name in ((500, 60, "rank 4"), (40, 60, "rank 4, fewer rows")):
            compare(driver, name, scene(rng, n, p, 4, 0), 12, "channel", folder)
        x = scene(rng, 400, 30, 4, 0.1)
        x[:, 7] = 0.1
        compare(driver, "constant channel", x, 5, "channel", folder)
        x[:, 3] = x[5] = 0
        compare(driver, "empty channel and row", np.floor(30 * np.abs(x)), 5, "poisson", folder)
        for shape in ((50, 9), (9, 50), (1, 1), (1, 5), (5, 1)):
            for centre in ("none", "channel", "both", "poisson"):
                compare(driver, "zero %d x %d" % shape, np.zeros(shape), 3, centre, folder)
            compare(driver, "constant %d x %d" % shape, np.full(shape, 0.3), 3, "both", folder)
        compare(driver, "small unit", 1e-12 * scene(rng, 300, 20, 3, 0.1), 3, "channel", folder)
    print("1..%d" % count)
    return 1 if failures else 0


if __name__ == "__main__":
    sys.exit(main())
