#!/usr/bin/env python3
"""kmeans.py [BUILD] - k-means, validity indices and matching against scikit-learn and scipy.

Runs BUILD/unit/test_{kmeans,validity,match} (default: build) on data sets made here and compares what they print.
Output is TAP; exit status 77 when scikit-learn or scipy is missing."""
import os
import subprocess
import sys
import tempfile

try:
    import numpy as np
    from scipy.linalg import subspace_angles
    from scipy.optimize import linear_sum_assignment
    from scipy.spatial.distance import cdist
    from sklearn.cluster import KMeans
    from sklearn.metrics import (adjusted_rand_score, calinski_harabasz_score, davies_bouldin_score, silhouette_samples)
    from sklearn.metrics.pairwise import cosine_distances
except ImportError as e:
    print("1..0 # skip: %s" % e)
    sys.exit(77)

unit = os.path.join(sys.argv[1] if len(sys.argv) > 1 else "build", "unit")
work = tempfile.TemporaryDirectory()
count = failures = 0


def ok(condition, text):
    global count, failures
    count += 1
    failures += not condition
    print("%sok %d - %s" % ("" if condition else "not ", count, text), flush=True)


def put(name, array):
    path = os.path.join(work.name, name)
    array.tofile(path)
    return path


def call(program, *words):
    run = subprocess.run([os.path.join(unit, program), *map(str, words)], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    if run.returncode:
        raise SystemExit("%s %s: exit status %d" % (program, " ".join(map(str, words)), run.returncode))
    return run.stdout


def kmeans(path, x, k, spherical=0, seed=0, restarts=10, kind="f64", threads=0, *start):
    text = call("test_kmeans", path, *x.shape, k, spherical, seed, restarts, kind, threads, *start)
    lines = text.split()
    n, found = len(x), int(lines[1])
    labels = np.array(lines[3:3 + n], dtype=int)
    centroids = np.array([float.fromhex(t.decode()) for t in lines[3 + n:]]).reshape(found, -1)
    return float(lines[0]), labels, centroids, text


def blobs(rng, n, p, k, apart):
    centre = rng.normal(size=(k, p)) * apart
    return centre[rng.integers(k, size=n)] + rng.normal(size=(n, p))


def spectra(rng, n, p, k):
    """Mixtures of k peaks on a falling background, with counting noise."""
    e = np.linspace(0, 1, p)
    peak = np.exp(-((e - np.linspace(.15, .85, k)[:, None]) / .06) ** 2) + np.exp(-3 * e)
    share = rng.dirichlet(np.full(k, .2), size=n)
    return rng.poisson(200 * rng.uniform(.5, 1, size=(n, 1)) * (share @ peak)).astype(float)


rng = np.random.default_rng(20)
stretch = np.diag([30.0, 1, 1, 1, 1, 1]) @ np.linalg.qr(rng.normal(size=(6, 6)))[0]
sets = [
    ("apart", blobs(rng, 3000, 10, 5, 4.0), 5),
    ("touching", blobs(rng, 3000, 10, 5, 1.0), 5),
    ("overlapping", blobs(rng, 2000, 4, 3, .5), 6),
    ("elongated", blobs(rng, 3000, 6, 4, 2.0) @ stretch, 4),
    ("offset 1e6", blobs(rng, 3000, 8, 4, 1.5) + 1e6, 4),
    ("spectra", spectra(rng, 2500, 150, 4), 4),
    ("many spectra", spectra(rng, 20000, 60, 5), 5),
]

for name, x, k in sets:
    x = np.ascontiguousarray(x)
    path = put("x", x)
    mean = x.mean(0)
    best = KMeans(k, n_init=20, random_state=0, tol=1e-10, algorithm="lloyd").fit(x - mean)
    inertia, labels, centroids, _ = kmeans(path, x, k, 0, 0, 20)
    if name == "overlapping":
        # no structure, hundreds of optima within 1 %: 20 starts of either program miss the lowest more often than not
        theirs = [KMeans(k, n_init=20, random_state=s, tol=1e-10, algorithm="lloyd").fit(x).inertia_ for s in range(5)]
        ours = [kmeans(path, x, k, 0, s, 20)[0] for s in range(5)]
        ok(np.median(ours) <= 1.001 * np.median(theirs), "%s: median over 5 seeds of the best of 20 starts %.10g, "
           "scikit-learn's %.10g" % (name, np.median(ours), np.median(theirs)))
    else:
        ok(inertia <= 1.001 * best.inertia_, "%s: best of 20 starts %.10g, scikit-learn's %.10g" % (name, inertia, best.inertia_))
    own = ((x - centroids[labels]) ** 2).sum()
    ok(abs(own - inertia) <= 1e-9 * inertia, "%s: the inertia belongs to the labels" % name)
    if abs(inertia - best.inertia_) < 1e-9 * inertia:
        ok(adjusted_rand_score(labels, best.labels_) > .999, "%s: the same inertia is the same partition" % name)

    # from the same centres: Lloyd is Lloyd. scikit-learn cancels at large offsets, so it gets centred rows.
    start = x[rng.choice(len(x), k, replace=False)]
    run = KMeans(k, init=start - mean, n_init=1, tol=0, max_iter=300, algorithm="lloyd").fit(x - mean)
    value, lloyd, _, _ = kmeans(path, x, k, 0, 0, 1, "f64", 0, put("start", start))
    ok(adjusted_rand_score(lloyd, run.labels_) > .9999 and abs(value - run.inertia_) <= 1e-9 * run.inertia_,
       "%s: from the same centres, %.12g and %.12g" % (name, value, run.inertia_))

    unit_rows = x / np.linalg.norm(x, axis=1, keepdims=True)
    value, sphere, direction, _ = kmeans(path, x, k, 1, 0, 20)
    loss = 2 * (1 - (unit_rows * direction[sphere]).sum(1)).sum()
    # at an offset of 1e6 the directions differ by 1e-6, and 1 - cos in float64 keeps four digits of it
    ok(abs(loss - value) <= (1e-3 if name.startswith("offset") else 1e-8) * value, "%s: spherical inertia %.10g is 2 sum (1 - cos)" % (name, value))
    flat = KMeans(k, n_init=20, random_state=0, tol=1e-10, algorithm="lloyd").fit(unit_rows)
    centre = np.array([unit_rows[flat.labels_ == c].sum(0) for c in range(k)])
    bound = ((unit_rows - (centre / np.linalg.norm(centre, axis=1, keepdims=True))[flat.labels_]) ** 2).sum()
    ok(value <= 1.001 * bound, "%s: spherical inertia %.10g, of scikit-learn's clusters of unit rows %.10g" % (name, value, bound))

    texts = [kmeans(path, x, k, s, 3, 5, t, threads)[3] for s, t in ((0, "f64"), (0, "f32"), (1, "f32")) for threads in (1, 2, 3, 8)]
    ok(all(len(set(texts[i:i + 4])) == 1 for i in (0, 4, 8)), "%s: same bytes for 1, 2, 3 and 8 threads" % name)

    # the indices, where the sample is everything
    m = min(len(x), 2000)
    part, given = np.ascontiguousarray(x[:m]), np.ascontiguousarray(labels[:m], dtype=np.int32)
    for cosine in (0, 1):
        values = np.array(call("test_validity", put("x", part), put("labels", given), *part.shape, k, cosine).split(), dtype=float)
        rows = part / np.linalg.norm(part, axis=1, keepdims=True) if cosine else part
        # half the squared distance of unit rows is 1 - cos with all its digits
        apart = cdist(rows, rows, "sqeuclidean") / 2 if cosine else cdist(part, part)
        np.fill_diagonal(apart, 0)
        each = silhouette_samples(apart, given, metric="precomputed")
        truth = [each.mean(), calinski_harabasz_score(rows, given), davies_bouldin_score(rows - rows.mean(0), given)]
        truth += [each[given == c].mean() if (given == c).any() else np.nan for c in range(k)]
        error = np.nanmax(np.abs(values - truth) / np.maximum(1, np.abs(truth)))
        # unit rows at an offset are equal but for 1e-6: Calinski-Harabasz of numpy itself has fewer digits there
        limit = 1e-6 if cosine and name.startswith("offset") else 1e-9
        ok(error < limit, "%s: %s silhouette, Calinski-Harabasz, Davies-Bouldin agree to %.1e" % (name, "cosine" if cosine else "Euclidean", error))

for n, m in ((1, 1), (30, 30), (20, 50), (50, 20), (200, 200)):
    for kind in ("real", "ties"):
        cost = rng.normal(size=(n, m)) if kind == "real" else rng.integers(5, size=(n, m)).astype(float)
        row, col = linear_sum_assignment(cost)
        lines = call("test_match", "assign", put("cost", cost), n, m).split()
        to = np.array(lines[1:], dtype=int)
        paired = to[to >= 0]
        ok(abs(float(lines[0]) - cost[row, col].sum()) < 1e-9 and len(set(paired)) == min(n, m) == len(paired)
           and abs(cost[np.flatnonzero(to >= 0), paired].sum() - float(lines[0])) < 1e-9, "assignment %d x %d, %s" % (n, m, kind))

worst = 0
for trial in range(10):
    n = int(rng.integers(2, 5000))
    a = rng.integers(0, 8, size=n)
    b = np.where(rng.random(n) < .6, a, rng.integers(0, 5, size=n))
    value = float(call("test_match", "ari", put("ari", np.concatenate([a, b]).astype(np.int32)), n))
    worst = max(worst, abs(value - adjusted_rand_score(a, b)))
ok(worst < 1e-12, "adjusted Rand index agrees to %.1e" % worst)

worst = 0
for k1, k2, p, tilt in ((3, 3, 40, 1e-6), (3, 3, 40, .3), (2, 5, 40, 1.0), (4, 2, 12, 1e-9), (1, 1, 2, 1.5)):
    a = rng.normal(size=(k1, p))
    b = np.vstack([a, rng.normal(size=(max(0, k2 - k1), p))])[:k2] + tilt * rng.normal(size=(k2, p))
    value = float(call("test_match", "angle", put("angle", np.vstack([a, b])), k1, k2, p))
    worst = max(worst, abs(value - subspace_angles(a.T, b.T).max()))
ok(worst < 1e-12, "subspace angles agree to %.1e" % worst)

print("1..%d" % count)
sys.exit(failures != 0)
