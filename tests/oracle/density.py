#!/usr/bin/env python3
"""density.py [BUILD] - neighbours, DBSCAN, HDBSCAN and spectral clustering against scikit-learn and plain definitions.

Runs BUILD/unit/test_{neighbours,dbscan,hdbscan,spectral} (default: build) on data sets made here and compares what they
print. HDBSCAN's reference is written here from the definition: components of the graph of all pairs, at every distance at
which it falls apart. Output is TAP; exit status 77 when scikit-learn or scipy is missing."""
import os
import subprocess
import sys
import tempfile
import warnings

try:
    import numpy as np
    from scipy.cluster.hierarchy import linkage
    from scipy.sparse.csgraph import connected_components
    from scipy.spatial.distance import squareform
    from sklearn.cluster import DBSCAN, SpectralClustering
    from sklearn.datasets import make_circles, make_moons
    from sklearn.metrics import adjusted_rand_score
    from sklearn.neighbors import NearestNeighbors
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


def call(program, x, *words):
    path = os.path.join(work.name, "points.f64")
    np.ascontiguousarray(x, dtype="<f8").tofile(path)
    run = subprocess.run([os.path.join(unit, program), path, *map(str, x.shape), *map(str, words)], stdout=subprocess.PIPE,
                         stderr=subprocess.DEVNULL)
    if run.returncode:
        raise SystemExit("%s %s: exit status %d" % (program, " ".join(map(str, words)), run.returncode))
    return run.stdout


def squares(x):
    """Squared distances of all pairs, coordinates added in order, as the tree adds them."""
    sum = np.zeros((len(x), len(x)))
    for c in range(x.shape[1]):
        sum += (x[:, c, None] - x[None, :, c]) ** 2
    return sum


def canonical(labels):
    """Clusters by size, then first member; noise stays -1."""
    names = [c for c in np.unique(labels) if c >= 0]
    names.sort(key=lambda c: (-np.sum(labels == c), np.argmax(labels == c)))
    out = np.full(len(labels), -1)
    for i, c in enumerate(names):
        out[labels == c] = i
    return out


# ---- data

rng = np.random.default_rng(7)


def blobs(n, d, k, apart, width=None):
    centre = rng.normal(size=(k, d)) * apart
    which = rng.integers(k, size=n)
    return centre[which] + rng.normal(size=(n, d)) * (1 if width is None else np.asarray(width)[which, None]), which


def with_noise(x, share):
    x = x.copy()
    n = int(share * len(x))
    x[:n] = rng.uniform(x.min(0), x.max(0), size=(n, x.shape[1]))
    return rng.permutation(x)


sets = [
    ("clouds", with_noise(blobs(700, 3, 4, 6.0)[0], .1)),
    ("three densities", with_noise(blobs(700, 2, 3, 20.0, (1, .2, 3))[0], .1)),
    ("moons", make_moons(600, noise=.06, random_state=1)[0]),
    ("one cloud", rng.normal(size=(500, 6))),
    ("uniform", rng.random((500, 2))),
    ("integers", np.floor(2 * rng.normal(size=(500, 3)))),
    ("duplicates", np.repeat(blobs(60, 2, 3, 5.0)[0], 10, axis=0)[rng.permutation(600)]),
    ("piles and a cloud", np.concatenate([np.zeros((200, 2)), np.ones((150, 2)), 4 + rng.normal(size=(200, 2))])),
    ("a line", np.arange(300.0)[:, None]),
    ("offset", blobs(400, 4, 3, 5.0)[0] + 1e6),
]

# ---- neighbours

for name, x in sets:
    k = 9
    d2 = squares(x)
    n = len(x)
    radius = np.sqrt(np.partition(d2, 12, axis=1)[:, 12].mean())
    text = call("test_neighbours", x, k, repr(radius), 2)
    rows = np.frombuffer(text, dtype="<u4", count=n * k).reshape(n, k)
    distance = np.frombuffer(text, dtype="<f8", count=n * k, offset=4 * n * k).reshape(n, k)
    within = np.frombuffer(text, dtype="<u4", count=n, offset=12 * n * k)
    other = d2.copy()
    np.fill_diagonal(other, np.inf)
    want = np.argsort(other, axis=1, kind="stable")[:, :k]
    ok(np.array_equal(rows, want) and np.array_equal(distance, np.sqrt(np.take_along_axis(other, want, 1))) and
       np.array_equal(within, (d2 <= radius * radius).sum(1)), "%s: %d nearest and counts exactly" % (name, k))
    found = NearestNeighbors(n_neighbors=k, algorithm="kd_tree").fit(x).kneighbors()[0]
    ok(np.allclose(distance, found, rtol=1e-12, atol=0), "%s: distances are scikit-learn's" % name)

# ---- DBSCAN


def dbscan(x, eps, min_points):
    text = call("test_dbscan", x, repr(eps), min_points, 2)
    n = len(x)
    return (np.frombuffer(text, dtype="<f8", count=1)[0], np.frombuffer(text, dtype="<i4", count=n, offset=8),
            np.frombuffer(text, dtype="u1", count=n, offset=8 + 4 * n).astype(bool))


def knee(x, min_points):
    """The k-dist graph, both axes scaled to 0 .. 1: the point farthest below the diagonal."""
    y = np.sort(np.sqrt(np.partition(squares(x), min_points - 1, axis=1)[:, min_points - 1]))
    if y[-1] - y[0] <= 1e-9 * y[-1]:
        return y[-1]
    below = np.linspace(0, 1, len(y)) - (y - y[0]) / (y[-1] - y[0])
    return y[np.argmax(below)] if below.max() > 0 else y[-1]


for name, x in sets:
    d2 = squares(x)
    for min_points, quantile in ((5, .3), (5, .9), (12, .6), (2, .5), (1, .2)):
        eps = float(np.quantile(np.sqrt(np.partition(d2, min_points, axis=1)[:, min_points]), quantile))
        _, labels, core = dbscan(x, eps, min_points)
        if eps == 0:   # scikit-learn wants a positive one; nothing is nearer than this without being equal
            model = DBSCAN(eps=1e-9, min_samples=min_points, algorithm="kd_tree").fit(x)
        else:
            model = DBSCAN(eps=eps, min_samples=min_points, algorithm="kd_tree").fit(x)
        want = np.zeros(len(x), dtype=bool)
        want[model.core_sample_indices_] = True
        ok(np.array_equal(core, want), "%s, eps %.3g, %d points: the %d core points of scikit-learn" % (name, eps, min_points,
                                                                                                    want.sum()))
        # border points: ours go to the nearest core point, theirs to the cluster found first
        expect = model.labels_.copy()
        for i in np.flatnonzero(~core & (expect >= 0)):
            near = np.where(core, d2[i], np.inf)
            expect[i] = model.labels_[np.argmin(near)]
        ok(np.array_equal(labels, canonical(expect)), "%s: its labels, %d noise" % (name, (labels < 0).sum()))
    eps, _, _ = dbscan(x, -1, 5)
    ok(np.isclose(eps, knee(x, 5), rtol=1e-12), "%s: eps %.3g is at the knee" % (name, eps))

# ---- HDBSCAN from the definition


class Branch:
    def __init__(self, parent, birth, members):
        self.parent, self.birth, self.members = parent, birth, members
        self.children, self.stability, self.death = [], 0.0, 0.0


def condensed(m2, min_size):
    """The condensed tree of squared mutual reachability distances, level by level from the largest, and for every point
    where it leaves and at which density."""
    n = len(m2)
    off = ~np.eye(n, dtype=bool)
    # distances at which something falls apart: those at which single linkage joins (it hands them through as they are)
    levels = np.unique(linkage(squareform(np.where(off, m2, 0), checks=False), "single")[:, 2])
    positive = levels[levels > 0]
    if not len(positive):
        return None
    density = lambda level: 1 / np.sqrt(level) if level > 0 else 2 / np.sqrt(positive[0])
    root = Branch(None, 0.0, np.arange(n))
    alive, branches = [root], [root]
    leaves_at, leaves_in = np.zeros(n), [None] * n
    for level in levels[::-1]:
        if not alive:
            break
        going_on = []
        for b in alive:
            members = b.members
            sub = (m2[np.ix_(members, members)] < level) & off[np.ix_(members, members)]
            n_parts, part = connected_components(sub, directed=False) if len(members) > 1 else (1, np.zeros(1, int))
            if n_parts == 1 and len(members) > 1:
                going_on.append(b)
                continue
            lam = density(level)
            pieces = [members[part == p] for p in range(n_parts)]
            big = [p for p in pieces if len(p) >= min_size]
            for p in pieces:
                if len(p) < min_size:
                    leaves_at[p] = lam
                    for i in p:
                        leaves_in[i] = b
                        b.stability += lam - b.birth
                    b.death = max(b.death, lam)
            if len(big) == 1:
                b.members = big[0]
                going_on.append(b)
            elif len(big) > 1:
                for p in big:
                    child = Branch(b, lam, p)
                    b.children.append(child)
                    b.stability += len(p) * (lam - b.birth)
                    b.death = max(b.death, lam)
                    branches.append(child)
                    going_on.append(child)
        alive = going_on
    return branches, leaves_at, leaves_in


def reference(x, min_size, min_points, choice="mass", single=False):
    d2 = squares(x)
    core = np.partition(d2, min_points - 1, axis=1)[:, min_points - 1]
    m2 = np.maximum(d2, np.maximum(core[:, None], core[None, :]))
    tree = condensed(m2, min_size)
    n = len(x)
    if tree is None:
        return np.zeros(n, int), np.ones(n), np.zeros(n)
    branches, at, where = tree
    chosen, best, deepest = set(), {}, {}
    for b in branches[::-1]:
        below = sum(best[c] for c in b.children)
        deepest[b] = max([b.death] + [deepest[c] for c in b.children])
        allowed = b.parent is not None or single
        wins = allowed and (not b.children or (choice == "mass" and b.stability >= below * (1 - 1e-12)))
        best[b] = max(b.stability, below) if wins else below
        if wins:
            chosen.add(b)
    top = {}
    for b in branches:
        top[b] = top[b.parent] if b.parent is not None and top[b.parent] else (b if b in chosen else None)
    labels, strength, outlier = np.full(n, -1), np.zeros(n), np.zeros(n)
    for i in range(n):
        t = top[where[i]]
        if t:
            labels[i] = branches.index(t)
            strength[i] = min(at[i] / t.death, 1)
        outlier[i] = 1 - at[i] / deepest[where[i]]
    return canonical(labels), strength, outlier


for name, x in sets:
    # the reference looks at all pairs at every level: fewer points
    x = x[:260] if name != "piles and a cloud" else np.concatenate([x[:70], x[200:260], x[350:450]])
    n = len(x)
    for min_size, min_points, choice, single in ((5, 5, "mass", 0), (15, 4, "mass", 0), (8, 1, "leaf", 0), (10, 10, "mass", 1)):
        text = call("test_hdbscan", x, min_size, min_points, choice, single, 2)
        labels = np.frombuffer(text, dtype="<i4", count=n)
        strength = np.frombuffer(text, dtype="<f8", count=n, offset=4 * n)
        outlier = np.frombuffer(text, dtype="<f8", count=n, offset=12 * n)
        want = reference(x, min_size, min_points, choice, bool(single))
        ok(np.array_equal(labels, want[0]), "%s, clusters of %d, %d points, %s%s: %d clusters as defined, %d noise" % (
            name, min_size, min_points, choice, ", single" if single else "", labels.max() + 1, (labels < 0).sum()))
        ok(np.allclose(strength, want[1], rtol=1e-12, atol=1e-14) and np.allclose(outlier, want[2], rtol=0, atol=1e-12),
           "%s: strengths and outlier scores" % name)

# ---- spectral

t = rng.uniform(0, 2 * np.pi, 900)
ring = np.arange(900) % 3
shapes = [
    ("moons", *make_moons(800, noise=.07, random_state=2), 2, .95),
    ("circles", *make_circles(800, noise=.05, factor=.4, random_state=2), 2, .99),
    ("rings", np.c_[np.cos(t), np.sin(t)] * (1 + 2 * ring[:, None]) + .15 * rng.normal(size=(900, 2)), ring, 3, .99),
    ("blobs", *blobs(900, 5, 5, 4.0), 5, .95),
    ("a bridge", np.concatenate([rng.normal(size=(400, 2)), rng.normal(size=(400, 2)) + (6, 0),
                                 np.c_[np.linspace(0, 6, 60), .1 * rng.normal(size=60)]]),
     np.concatenate([np.zeros(400), np.ones(400), (np.linspace(0, 6, 60) > 3)]).astype(int), 2, .9),
]
for name, x, truth, k, least in shapes:
    labels = np.frombuffer(call("test_spectral", x, k, 15, 2), dtype="<i4", count=len(x))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")   # of a graph in several components
        theirs = SpectralClustering(k, affinity="nearest_neighbors", n_neighbors=15, random_state=0).fit_predict(x)
    ours, other = adjusted_rand_score(truth, labels), adjusted_rand_score(truth, theirs)
    ok(ours >= least and ours >= other - .02, "%s: ARI %.3f to the truth, scikit-learn's %.3f" % (name, ours, other))
    ok(np.array_equal(labels, canonical(labels)), "%s: the largest first" % name)


def laplacian(x, k):
    """Eigenvalues of the normalised Laplacian of the self-tuned graph, dense."""
    d2 = squares(x)
    np.fill_diagonal(d2, np.inf)
    near = np.argsort(d2, axis=1, kind="stable")[:, :k]
    sigma = np.sqrt(np.take_along_axis(d2, near[:, 6:7], 1))[:, 0]
    edge = np.zeros(d2.shape, dtype=bool)
    np.put_along_axis(edge, near, True, 1)
    edge |= edge.T
    w = np.where(edge, np.exp(-np.minimum(d2 / (sigma[:, None] * sigma[None, :]), 20)), 0)
    root = np.sqrt(w.sum(1))
    return np.linalg.eigvalsh(np.eye(len(x)) - w / root[:, None] / root[None, :])


for name, x, k in (("cloud", rng.normal(size=(400, 3)), 6), ("cloud, by Lanczos", rng.normal(size=(1300, 2)), 6)):
    text = call("test_spectral", x, k, 15, 2)
    found = np.frombuffer(text, dtype="<f8", offset=4 * len(x))
    want = laplacian(x, 15)[:k + 1]
    ok(len(found) == k + 1 and np.abs(found - want).max() < 1e-10, "%s: eigenvalues to %.0e" % (name, np.abs(found - want).max()))

print("1..%d" % count)
sys.exit(1 if failures else 0)
