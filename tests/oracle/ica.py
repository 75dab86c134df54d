#!/usr/bin/env python3
"""Independent components against scikit-learn's FastICA: ica.py [BUILD]

Lets the driver BUILD/unit/test_ica (default: build) take mixtures apart whose sources are known. The Amari index (0 .. 1) is compared
with that of scikit-learn on the same samples, and both must find the same sources. Also: whitened sources, mix unmix = identity, and
the same sources after an invertible mixture. Output is TAP; exit status 77 when scikit-learn is missing."""
import os
import subprocess
import sys
import tempfile
import warnings

try:
    import numpy as np
    from scipy.optimize import linear_sum_assignment
    from scipy.stats import kurtosis
    from sklearn.decomposition import FastICA
except ImportError as e:
    print("1..0 # skip: %s" % e)
    sys.exit(77)

driver = os.path.join(sys.argv[1] if len(sys.argv) > 1 else "build", "unit", "test_ica")
folder = tempfile.TemporaryDirectory()
count = failures = 0


def ok(condition, text):
    global count, failures
    count += 1
    failures += not condition
    print("%sok %d - %s" % ("" if condition else "not ", count, text), flush=True)


class Ica:
    def __init__(self, t, method="picard", contrast="logcosh", restarts=1):
        path = os.path.join(folder.name, "samples.f64")
        np.ascontiguousarray(t, "<f8").tofile(path)
        n, k = t.shape
        out = subprocess.run([driver, path, str(n), str(k), method, contrast, str(restarts)], check=True, capture_output=True,
                             text=True).stdout.splitlines()
        self.k, self.converged, self.n_iter = map(int, out[0].split())
        rows = [np.array(line.split(), float) for line in out[1:]]
        self.unmix = np.array(rows[:self.k])
        self.mix = np.array(rows[self.k:self.k + k])
        self.kurtosis, self.reliability = rows[self.k + k:]
        self.sources = (t - t.mean(0)) @ self.unmix.T


def amari(p):
    p = np.abs(p)
    return ((p.sum(1) / p.max(1) - 1).sum() + (p.sum(0) / p.max(0) - 1).sum()) / (2 * len(p) * (len(p) - 1))


def correlation(a, b):
    """Least correlation of sources a (n x k) and b, paired as well as can be."""
    c = np.abs(np.corrcoef(a.T, b.T)[:a.shape[1], a.shape[1]:])
    return c[linear_sum_assignment(-c)].min()


def draw(rng, n, kinds):
    s = [{"laplace": rng.laplace, "uniform": lambda size: rng.uniform(-1, 1, size), "gauss": lambda size: rng.normal(size=size),
          "exponential": lambda size: rng.exponential(size=size), "student": lambda size: rng.standard_t(4, size)}[kind](size=n)
         for kind in kinds]
    return np.stack([(v - v.mean()) / v.std() for v in s], 1)


def sklearn_ica(t, fun="logcosh", algorithm="parallel"):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return FastICA(t.shape[1], whiten="unit-variance", fun=fun, algorithm=algorithm, tol=1e-10, max_iter=500, random_state=0).fit(t)


for k in (3, 5, 10):
    index = {name: [] for name in ("sklearn", "picard", "fastica", "jade")}
    agree, white, identity, turned, kurt = [], 0, 0, 0, 0
    for seed in range(8):
        rng = np.random.default_rng(seed)
        s = draw(rng, 10000, ["laplace" if i % 2 else "uniform" for i in range(k)])
        a = rng.normal(size=(k, k))
        t = s @ a.T + 5
        theirs = sklearn_ica(t)
        index["sklearn"].append(amari(theirs.components_ @ a))
        for method in ("picard", "fastica", "jade"):
            ours = Ica(t, method)
            index[method].append(amari(ours.unmix @ a))
            white = max(white, np.abs(ours.sources.T @ ours.sources / len(t) - np.eye(k)).max(), np.abs(ours.sources.mean(0)).max())
            identity = max(identity, np.abs(ours.unmix @ ours.mix - np.eye(k)).max(), np.abs(ours.mix @ ours.unmix - np.eye(k)).max())
            kurt = max(kurt, np.abs(kurtosis(ours.sources) - ours.kurtosis).max())
            if method == "fastica":
                agree.append(correlation(theirs.transform(t), ours.sources))
            if seed < 3:
                m = rng.normal(size=(k, k))
                again = Ica(t @ m.T, method)
                turned = max(turned, amari(again.unmix @ m @ ours.mix))
    median = {name: np.median(v) for name, v in index.items()}
    ok(median["picard"] <= 0.010 and median["fastica"] <= 0.010, "k = %d: Amari index of picard %.4f, fastica %.4f, scikit-learn %.4f" % (
        k, median["picard"], median["fastica"], median["sklearn"]))
    ok(median["picard"] <= 1.02 * median["sklearn"], "k = %d: no worse than scikit-learn" % k)
    ok(median["jade"] <= 2 * max(median["sklearn"], 0.010), "k = %d: JADE %.4f" % (k, median["jade"]))
    ok(min(agree) > 1 - 1e-9, "k = %d: the sources of scikit-learn, least correlation 1 - %.1e" % (k, 1 - min(agree)))
    ok(white < 1e-10, "k = %d: sources are white to %.1e" % (k, white))
    ok(identity < 1e-10, "k = %d: mix and unmix undo each other to %.1e" % (k, identity))
    ok(turned < 1e-6, "k = %d: an invertible mixture changes nothing, Amari %.1e" % (k, turned))
    ok(kurt < 1e-10, "k = %d: the kurtosis is scipy's to %.1e" % (k, kurt))

rng = np.random.default_rng(50)
for kinds in (["laplace", "student", "exponential"], ["uniform", "laplace", "gauss"], ["exponential", "uniform", "student", "laplace"]):
    s = draw(rng, 20000, kinds)
    a = rng.normal(size=(len(kinds), len(kinds)))
    for fun, contrast in (("logcosh", "logcosh"), ("exp", "gauss"), ("cube", "quartic")):
        if fun == "cube" and "student" in kinds:      # its fourth moment is infinite
            continue
        ours, theirs = Ica(s @ a.T, "fastica", contrast), sklearn_ica(s @ a.T, fun)
        same = correlation(ours.sources, theirs.transform(s @ a.T))
        ok(ours.converged and same > 1 - 1e-8, "%s, %s: the fixed point of scikit-learn, 1 - %.1e" % ("+".join(kinds), fun, 1 - same))
        alone, theirs = Ica(s @ a.T, "deflation", contrast), sklearn_ica(s @ a.T, fun, "deflation")
        found, known = correlation(alone.sources, s), correlation(theirs.transform(s @ a.T), s)
        ok(alone.converged and found > known - 0.01, "%s, %s: one by one, correlation with the truth %.4f, scikit-learn %.4f" % (
            "+".join(kinds), fun, found, known))

# variances that span eight decades, a large offset, and a signal that is a sum of others
s = draw(rng, 10000, ["laplace", "uniform", "laplace"])
a = np.linalg.qr(rng.normal(size=(3, 3)))[0]
wide = (s @ a.T) * [1, 1e-4, 1e-8]
ours = Ica(wide + 10)
ok(correlation(ours.sources, s) > 0.999, "signals of 1, 1e-4 and 1e-8, offset 10: correlation %.5f" % correlation(ours.sources, s))
ours = Ica(np.column_stack([s @ a.T, s.sum(1)]))
ok(ours.k == 3 and correlation(ours.sources, s) > 0.999, "a signal that depends on the others is left out")


def varimax(z, max_iter=5000):
    """The textbook iteration on z (n x k), uncentred, orthonormal columns."""
    r, last = np.eye(z.shape[1]), 0
    for _ in range(max_iter):
        y = z @ r
        u, d, vt = np.linalg.svd(z.T @ (y ** 3 - y @ np.diag((y ** 2).sum(0)) / len(z)))
        r = u @ vt
        if d.sum() <= last * (1 + 1e-15):
            break
        last = d.sum()
    return z @ r


simple = np.where(rng.random((4000, 4)) < 0.3, rng.exponential(size=(4000, 4)), 0) @ rng.uniform(size=(4, 4))
z = np.linalg.qr(simple)[0] * np.sqrt(len(simple))
ours = Ica(simple, "orthomax", restarts=5)
mine, theirs = simple @ ours.unmix.T, varimax(z)
ok(np.abs(mine.T @ mine / len(mine) - np.eye(4)).max() < 1e-10, "orthomax: unit mean squares, no products")
ok(abs((mine ** 4).sum() / (theirs ** 4).sum() - 1) < 1e-8, "orthomax: the criterion is that of varimax to %.1e" % abs(
    (mine ** 4).sum() / (theirs ** 4).sum() - 1))

# two Gaussian sources among others: they are unreliable, the others not
s = draw(rng, 8000, ["laplace", "gauss", "uniform", "gauss"])
ours = Ica(s @ rng.normal(size=(4, 4)).T, restarts=10)
gaussian = np.abs(ours.kurtosis) < 0.15
ok(gaussian.sum() == 2 and ours.reliability[gaussian].max() < ours.reliability[~gaussian].min() and ours.reliability[~gaussian].min() > 0.9,
   "two Gaussian sources: reliability %s, of the others %s" % (ours.reliability[gaussian].round(2), ours.reliability[~gaussian].round(2)))

print("1..%d" % count)
sys.exit(failures != 0)
