#!/usr/bin/env python3
"""Principal components against scipy's SVD: pca.py [BUILD]

Writes matrices to a temporary directory, lets the drivers BUILD/unit/test_pca and test_decompose solve them (default: build)
and compares eigenvalues, subspaces and what is rebuilt; randomized_svd and IncrementalPCA of scikit-learn are the others'. Minka's rank is compared with scikit-learn's when that is there. Exit status 0 agrees, 1 differs, 77 skipped.
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
    from sklearn.decomposition import IncrementalPCA
    from sklearn.decomposition._pca import _infer_dimension
    from sklearn.utils.extmath import randomized_svd
except ImportError:
    _infer_dimension = IncrementalPCA = randomized_svd = None

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


def decompose(driver, x, k, centre, method, folder):
    """n_eig, whole variance, eigenvalues, loadings, scores by one of the methods."""
    path = os.path.join(folder, "matrix.f64")
    x.astype("<f8").tofile(path)
    out = subprocess.run([driver, path, str(len(x)), str(x.shape[1]), str(k), centre, method], check=True, capture_output=True,
                         text=True).stdout.splitlines()
    total = float(out[0].split()[1])
    numbers = [np.array([float(v) for v in line.split()]) for line in out[1:]]
    k = min(k, min(x.shape))
    return total, numbers[0], np.array(numbers[1:1 + k]), np.array(numbers[1 + k:])


def methods(driver, rng, folder):
    x = scene(rng, 900, 150, 8, 0.3)
    for centre in ("channel", "none", "both"):
        y, divisor = prepared(x, centre)
        u, s, vt = scipy.linalg.svd(y, full_matrices=False)
        best = np.sqrt((s[8:] ** 2).sum())
        for method, worse in (("exact", 1e-10), ("tsqr", 1e-10), ("random", 1e-3), ("sketch", 0.1)):
            total, eig, v, t = decompose(driver, x, 8, centre, method, folder)
            left = np.linalg.norm(y - (y @ v.T) @ v)
            check(left / best - 1 < worse, "%s, %s: leaves %.1e more than the best components" % (method, centre, left / best - 1))
            check(abs(total * divisor / (s ** 2).sum() - 1) < 1e-10, "%s, %s: whole variance" % (method, centre))
            if method != "sketch":
                check(np.abs(t - y @ v.T).max() < 1e-5 * s[0], "%s, %s: scores" % (method, centre))
            if method == "random" and randomized_svd:
                _, _, other = randomized_svd(y, 8, n_oversamples=10, n_iter=2, random_state=0)
                theirs = np.linalg.norm(y - (y @ other.T) @ other)
                check(left < theirs * 1.001, "random, %s: as near as scikit-learn's (%.2e, %.2e)" % (centre, left / best - 1, theirs / best - 1))
    # amplitudes over ten orders of magnitude: rel 1e-10 where lambda is above 1e-12 of the first, 1e-6 down to 1e-18
    q1, q2 = np.linalg.qr(rng.normal(size=(400, 20)))[0], np.linalg.qr(rng.normal(size=(40, 20)))[0]
    x = q1 @ np.diag(np.logspace(0, -9, 20)) @ q2.T
    _, s, vt = scipy.linalg.svd(x, full_matrices=False)
    _, eig, v, _ = decompose(driver, x, 20, "none", "tsqr", folder)
    off = np.abs(eig[:20] * 400 / s[:20] ** 2 - 1)
    check(off[s[:20] ** 2 > 1e-12].max() < 1e-9, "tsqr: eigenvalues above 1e-12 of the first to %.1e" % off[s[:20] ** 2 > 1e-12].max())
    check(off.max() < 1e-5, "tsqr: eigenvalues down to 1e-18 to %.1e" % off.max())
    check(scipy.linalg.subspace_angles(v[:10].T, vt[:10].T).max() < 1e-8, "tsqr: subspace")
    if IncrementalPCA:
        x = scene(rng, 800, 60, 5, 0.2)
        other = IncrementalPCA(n_components=12).partial_fit(x[:400]).partial_fit(x[400:])
        _, eig, v, _ = decompose(driver, x, 12, "channel", "update", folder)
        check(np.abs(eig[:12] / other.explained_variance_ - 1).max() < 1e-9, "update: variances are those of IncrementalPCA")
        check(scipy.linalg.subspace_angles(v.T, other.components_.T).max() < 1e-6, "update: so is the span")


def scene(rng, n, p, r, noise):
    return rng.exponential(size=(n, r)) @ (rng.random((r, p)) * np.arange(1, r + 1)[:, None]) + noise * rng.normal(size=(n, p))


def main():
    driver = os.path.join(sys.argv[1] if len(sys.argv) > 1 else "build", "unit", "test_pca")
    rng = np.random.default_rng(1)
    with tempfile.TemporaryDirectory() as folder:
        methods(driver.replace("test_pca", "test_decompose"), rng, folder)
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
