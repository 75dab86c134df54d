#!/usr/bin/env python3
"""clusters.py [BUILD] - mixtures, Ward's tree, the gap statistic and the methods of hscluster against scikit-learn and scipy.

Runs BUILD/unit/test_{gmm,ward,gap} (default: build) on data sets made here and compares what they print; BUILD/hscluster, where
it is built, on scenes of BUILD/hsgen. Output is TAP; exit status 77 when scikit-learn, scipy or h5py is missing."""
import json
import os
import subprocess
import sys
import tempfile

try:
    import h5py
    import numpy as np
    from scipy.cluster.hierarchy import fcluster, is_valid_linkage, linkage
    from sklearn.cluster import DBSCAN, KMeans, ward_tree
    from sklearn.feature_extraction.image import grid_to_graph
    from sklearn.metrics import adjusted_rand_score, silhouette_score
    from sklearn.mixture import GaussianMixture
except ImportError as e:
    print("1..0 # skip: %s" % e)
    sys.exit(77)

build = sys.argv[1] if len(sys.argv) > 1 else "build"
work = tempfile.TemporaryDirectory()
count = failures = 0


def ok(condition, text):
    global count, failures
    count += 1
    failures += not condition
    print("%sok %d - %s" % ("" if condition else "not ", count, text), flush=True)


def put(array):
    path = os.path.join(work.name, "x")
    np.ascontiguousarray(array, dtype="<f8").tofile(path)
    return path


def call(*words):
    run = subprocess.run([str(w) for w in words], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    if run.returncode:
        raise SystemExit("%s: exit status %d" % (" ".join(map(str, words)), run.returncode))
    return run.stdout


def unit(name, *words):
    return call(os.path.join(build, "unit", "test_" + name), *words)


def blobs(rng, n, p, k, apart, stretch=1.0):
    centre = rng.normal(size=(k, p)) * apart
    label = rng.integers(k, size=n)
    shape = rng.normal(size=(k, p, p)) / np.sqrt(p) * stretch + np.eye(p)
    return centre[label] + np.einsum("ij,ijk->ik", rng.normal(size=(n, p)), shape[label]), label


rng = np.random.default_rng(8)

# ---- mixtures: the likelihood of our parameters is scikit-learn's, and its own starts find nothing better
for name, n, p, k, apart, offset in (("apart", 2000, 4, 3, 6, 0), ("touching", 2500, 6, 4, 2, 0), ("offset 1e6", 1500, 3, 3, 5, 1e6),
                                     ("one channel", 1500, 1, 3, 8, 0), ("ten channels", 3000, 10, 5, 2, 100)):
    x, truth = blobs(rng, n, p, k, apart)
    x = x + offset
    for diag in (0, 1):
        kind = "diag" if diag else "full"
        texts = [unit("gmm", put(x), n, p, k, diag, threads) for threads in (1, 2, 3)]
        v = np.array(texts[0].split(), dtype=float)
        found, at = int(v[2]), 3
        size = p if diag else p * p
        weights, means, cov, label = np.split(v[at:], np.cumsum([found, found * p, found * size]))
        means, cov = means.reshape(found, p), cov.reshape((found, p) if diag else (found, p, p))
        ok(len(set(texts)) == 1, "mixture, %s, %s: same bytes for 1, 2 and 3 threads" % (name, kind))
        # at an offset scikit-learn's own rounding counts, so it sees centred rows
        model = GaussianMixture(found, covariance_type=kind)
        model.weights_, model.means_, model.covariances_ = weights, means - offset, cov
        model.precisions_cholesky_ = 1 / np.sqrt(cov) if diag else np.array([np.linalg.inv(np.linalg.cholesky(c)).T for c in cov])
        theirs = model.score(x - offset) * n
        ok(abs(theirs / v[0] - 1) < (1e-6 if offset > 1e3 else 1e-11), "mixture, %s, %s: log-likelihood %.10g and %.10g" % (name, kind, v[0], theirs))
        ok(abs(model.bic(x - offset) - v[1]) < 1e-5 * abs(v[1]), "mixture, %s, %s: BIC %.8g" % (name, kind, v[1]))
        ok((model.predict(x - offset) == label).mean() > .9999, "mixture, %s, %s: the same labels" % (name, kind))
        best = max(GaussianMixture(found, covariance_type=kind, reg_covar=1e-12, tol=1e-8, max_iter=2000, random_state=s).fit(x - offset).score(x - offset)
                   for s in range(3)) * n
        ok(v[0] >= best - 1e-3 * n, "mixture, %s, %s: not worse than the best of three of scikit-learn, %.8g and %.8g" % (name, kind, v[0], best))

# ---- Ward's tree
for name, x in (("random", rng.normal(size=(700, 5))), ("groups", blobs(rng, 900, 8, 6, 5)[0]), ("offset 1e5", rng.normal(size=(300, 3)) + 1e5),
                ("small unit", rng.normal(size=(200, 4)) * 1e-90), ("one channel", rng.normal(size=(400, 1)))):
    n, d = x.shape
    lines = unit("ward", put(x), n, d, 0, 0, 0, 6).split(b"\n")
    ours = np.array([line.split() for line in lines[:n - 1]], dtype=float)
    label = np.array(lines[n - 1:2 * n - 1], dtype=int)
    unit_of = np.abs(x - x.mean(0)).max()
    theirs = linkage((x - x.mean(0)) / unit_of, "ward")
    worst = np.abs(ours[:, 2] / unit_of - theirs[:, 2]).max() / theirs[-1, 2]
    relative = np.abs(ours[:, 2] / unit_of / theirs[:, 2] - 1).max()
    ok(relative < 1e-9, "ward, %s: heights are scipy's to %.1e (%.1e of the last)" % (name, relative, worst))
    ok(is_valid_linkage(ours) and (np.diff(ours[:, 2]) >= 0).all() and (ours[:, :2] == theirs[:, :2]).all() and (ours[:, 3] == theirs[:, 3]).all(),
       "ward, %s: a linkage for scipy, merge by merge its own" % name)
    ok(adjusted_rand_score(label, fcluster(theirs, 6, "maxclust")) == 1, "ward, %s: the same six clusters" % name)

for ny, nx, d in ((20, 30, 3), (40, 25, 1), (1, 200, 2)):
    x = rng.normal(size=(ny * nx, d)) + np.repeat(rng.normal(size=(ny * nx // 20, d)) * 3, 20, axis=0)
    lines = unit("ward", put(x), ny * nx, d, 1, ny, nx, 5).split(b"\n")
    ours = np.array([line.split() for line in lines[:ny * nx - 1]], dtype=float)
    children, _, _, _, heights = ward_tree(x, connectivity=grid_to_graph(ny, nx), return_distance=True)
    heights = np.maximum.accumulate(heights)
    ok(np.abs(ours[:, 2] / heights - 1).max() < 1e-9, "ward of neighbours, %d x %d: heights are scikit-learn's to %.1e" %
       (ny, nx, np.abs(ours[:, 2] / heights - 1).max()))
    ok((np.sort(children, 1) == ours[:, :2]).all(), "ward of neighbours, %d x %d: the same merges" % (ny, nx))

# ---- the gap statistic: the same formula on numpy's random numbers agrees within its error
x, _ = blobs(rng, 500, 4, 3, 6, .3)
v = unit("gap", put(x), 500, 4, 6).split()
ours, errors = np.array(v[:12], dtype=float).reshape(6, 2).T
turned = (x - x.mean(0)) @ np.linalg.svd(x - x.mean(0), full_matrices=False)[2].T
low, high = turned.min(0), turned.max(0)
for k in range(1, 7):
    log_w = [np.log(KMeans(k, n_init=3, random_state=b).fit(rng.uniform(low, high, size=x.shape)).inertia_) for b in range(10)]
    theirs = np.mean(log_w) - np.log(KMeans(k, n_init=10, random_state=0).fit(x).inertia_)
    ok(abs(theirs - ours[k - 1]) < 4 * np.std(log_w) + 1e-3 and errors[k - 1] < 4 * np.std(log_w) * 1.05 + 1e-3,
       "gap of %d clusters: %.3f +- %.3f, numpy's %.3f" % (k, ours[k - 1], errors[k - 1], theirs))
ok(int(v[12]) == 3, "the gap statistic chooses three")

# ---- the tool
tool, gen = os.path.join(build, "hscluster"), os.path.join(build, "hsgen")
if os.path.exists(tool) and os.path.exists(gen):
    scene, out = os.path.join(work.name, "scene.nxs"), os.path.join(work.name, "out.nxs")
    for k, separation in ((3, 12), (5, 12)):
        call(gen, "clusters", "-k", k, "--size", "30x25x8", "--separation", separation, "-f", "-o", scene)
        with h5py.File(scene) as f:
            x = f["entry/data/data"][()].reshape(-1, 8).astype("f8")
            truth = f["entry/process_01_hsgen/true_labels/data"][()].ravel()
        for method in ("kmeans", "gmm", "ward", "hdbscan", "spectral", "minibatch"):
            call(tool, "-q", "-j", 1, "--method", method, scene, "-f", "-o", out)
            with h5py.File(out) as f:
                label = f["entry/process_02_hscluster/labels/data"][()].ravel()
            score = adjusted_rand_score(truth[label >= 0], label[label >= 0])
            ok(score > .99 and (label >= 0).mean() > .9, "hscluster --method %s, %d clusters: adjusted Rand index %.4f, %.3g of the pixels" %
               (method, k, score, (label >= 0).mean()))
        for eps in (1.9, 2.4, 25.0):
            call(tool, "-q", "-j", 1, "--method", "dbscan", "--eps", eps, "--min-points", 9, scene, "-f", "-o", out)
            theirs = DBSCAN(eps=eps, min_samples=9).fit(x)
            with h5py.File(out) as f:
                label = f["entry/process_02_hscluster/labels/data"][()].ravel()
            core = np.zeros(len(x), bool)
            core[theirs.core_sample_indices_] = True
            same = adjusted_rand_score(theirs.labels_[core], label[core]) if core.any() else 1
            ok(same == 1 and ((theirs.labels_ < 0) == (label < 0)).all(), "hscluster --method dbscan --eps %.4g: core points (%d) and noise (%d) are "
               "scikit-learn's" % (eps, core.sum(), (label < 0).sum()))
        call(tool, "-q", "-j", 1, "--method", "ward", "-k", k, scene, "-f", "-o", out, "--report", out + ".json")
        with h5py.File(out) as f:
            step = f["entry/process_02_hscluster"]
            tree = step["dendrogram"]
            z = np.stack([tree["left"][()], tree["right"][()], tree["data"][()], tree["size"][()]], 1)
            label, leaf = step["labels/data"][()].ravel(), step["leaves/data"][()].ravel()
        ok(is_valid_linkage(z) and np.abs(z[:, 2] / linkage(x, "ward")[:, 2] - 1).max() < 1e-9 and (leaf == np.arange(len(x))).all(),
           "hscluster --method ward: the stored dendrogram is scipy's linkage")
        ok(abs(json.load(open(out + ".json"))["silhouette"] - silhouette_score(x, label)) < 1e-9, "its silhouette is scikit-learn's")

print("1..%d" % count)
sys.exit(failures != 0)
