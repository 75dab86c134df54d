#!/usr/bin/env python3
"""nmf.py [BUILD] - non-negative matrix factorisation against NumPy and scikit-learn.

Runs BUILD/unit/test_nmf (default: build) on data sets made here; what it prints is recomputed in NumPy and compared with
scikit-learn's coordinate descent and multiplicative updates. Output is TAP; exit status 77 without scikit-learn."""
import os
import subprocess
import sys
import tempfile
import warnings

try:
    import numpy as np
    from sklearn.decomposition import NMF, non_negative_factorization
except ImportError as e:
    print("1..0 # skip: %s" % e)
    sys.exit(77)

warnings.simplefilter("ignore")
program = os.path.join(sys.argv[1] if len(sys.argv) > 1 else "build", "unit", "test_nmf")
work = tempfile.TemporaryDirectory()
count = failures = 0


def ok(condition, text):
    global count, failures
    count += 1
    failures += not condition
    print("%sok %d - %s" % ("" if condition else "not ", count, text), flush=True)


class Result:
    def __init__(self, x, k, **words):
        path = os.path.join(work.name, "x")
        x.tofile(path)
        n, p = x.shape
        run = subprocess.run([program, path, "f32" if x.dtype == np.float32 else "f64", str(n), str(p), str(k)]
                             + ["%s=%s" % item for item in words.items()], stdout=subprocess.PIPE)
        if run.returncode:
            raise SystemExit("test_nmf: exit status %d" % run.returncode)
        v = np.frombuffer(run.stdout)
        (self.status, self.iterations, self.passes, self.objective, self.kkt, self.error2, self.norm2, _, self.used, m) = v[:10]
        v, m = v[10:], int(m)
        self.trace, self.w, v = v[:m], v[m:m + n * k].reshape(n, k), v[m + n * k:]
        self.h, self.residual = v[:k * p].reshape(k, p), v[k * p:]


def kkt(x, w, h):
    """Natural residual of the optimality conditions, each component with the other factor of norm 1, over |X|."""
    a, b = np.linalg.norm(w, axis=0), np.linalg.norm(h, axis=1)
    gw, gh = (w @ h - x) @ h.T / b, w.T @ (w @ h - x) / a[:, None]
    r = np.sum(np.minimum(w * b, gw) ** 2) + np.sum(np.minimum(h * a[:, None], gh) ** 2)
    return np.sqrt(r) / np.linalg.norm(x)


def divergence(x, y):
    y = np.maximum(y, 1e-300)
    return np.sum(y - x + np.where(x > 0, x * np.log(np.where(x > 0, x, 1) / y), 0))


def promises(name, x, r):
    d = x - r.w @ r.h
    error2, norm2 = np.nansum(d ** 2), np.nansum(x ** 2)
    ok(r.w.min() >= 0 and r.h.min() >= 0, name + ": nothing below zero")
    ok(abs(r.error2 - error2) <= 1e-12 * norm2 and abs(r.norm2 / norm2 - 1) < 1e-12, name + ": error and norm")
    ok(np.allclose(r.residual, np.sqrt(np.nanmean(d ** 2, 1)), rtol=1e-8, atol=1e-12 * np.sqrt(norm2)), name + ": residuals")
    ok(np.all(np.diff(r.trace) <= 0), name + ": the objective falls (%d passes)" % len(r.trace))


def euclidean(name, x, k, seeds=4, **words):
    r = Result(x, k, **words)
    x = x.astype("f8")
    promises(name, x, r)
    mine = kkt(x, r.w, r.h)
    ok(r.status == 0 and abs(mine - r.kkt) <= 1e-3 * mine + 1e-12, "%s: KKT residual %.3g, says %.3g" % (name, mine, r.kkt))
    s = np.linalg.svd(x, compute_uv=False)
    ok(r.error2 >= np.sum(s[k:] ** 2) * (1 - 1e-9) - 1e-14 * r.norm2, name + ": not below the singular values")
    best = min(NMF(k, init="nndsvda" if i == 0 else "random", random_state=i, tol=1e-5, max_iter=1000).fit(x).reconstruction_err_
               for i in range(seeds))
    ours = np.sqrt(r.error2)
    ok(ours <= 1.0005 * best, "%s: error %.8g, scikit-learn's best %.8g" % (name, ours, best))
    w, h, _ = non_negative_factorization(x, W=r.w.copy(), H=r.h.copy(), n_components=k, init="custom", tol=1e-9, max_iter=200)
    after = np.linalg.norm(x - w @ h)
    ok(after >= ours * (1 - 1e-4), "%s: scikit-learn goes on from there by %.1e" % (name, 1 - after / ours if ours else 0))
    return r


def peaks(p, k, width=0.06):
    e = np.linspace(0, 1, p)
    return np.exp(-((e - np.linspace(.15, .85, k)[:, None]) / width) ** 2) + 0.2 * np.exp(-3 * e)


def counts():
    for name, level in (("counts", 40.0), ("few counts", 1.0)):
        x = rng.poisson(level * (rng.dirichlet(np.full(4, .3), size=900) @ peaks(60, 4))).astype("f8")
        r = Result(x, 4, loss="poisson")
        promises(name, x, r)
        d = divergence(x, r.w @ r.h)
        ok(abs(r.objective / d - 1) < 1e-10, "%s: divergence %.10g, says %.10g" % (name, d, r.objective))
        best = np.inf
        for i in range(3):
            m = NMF(4, init="nndsvda" if i == 0 else "random", random_state=i, solver="mu", beta_loss="kullback-leibler",
                    tol=1e-6, max_iter=500)
            best = min(best, divergence(x, m.fit_transform(x) @ m.components_))
        ok(d <= 1.0005 * best, "%s: divergence %.8g, scikit-learn's best %.8g" % (name, d, best))


def penalties():
    x = rng.poisson(20 * (rng.dirichlet(np.full(3, .5), size=500) @ peaks(50, 3))).astype("f8")
    for sparse, smooth in ((0.05, 0), (0, 3), (0.03, 1)):
        r = Result(x, 3, sparse=sparse, smooth=smooth)
        b = np.linalg.norm(r.h, axis=1)
        f = np.sum((x - r.w @ r.h) ** 2) / 2 + sparse * np.sqrt(np.sum(x ** 2) / len(x)) * np.sum(r.w.sum(0) * b)
        f += smooth / 2 * np.sum(np.sum(r.w ** 2, 0) * np.sum(np.diff(r.h, 2) ** 2, 1))
        ok(abs(r.objective / f - 1) < 1e-10, "sparse %g, smooth %g: objective %.10g, says %.10g" %
           (sparse, smooth, f, r.objective))
        ok(np.all(np.diff(r.trace) <= 0) and r.status == 0, "sparse %g, smooth %g: converged" % (sparse, smooth))
    r = Result(x, 3, sum=1, tol=1e-7)
    ok(np.abs(r.w.sum(1) - 1).max() < 1e-12, "sums of one")
    g = (r.w @ r.h - x) @ r.h.T       # on the simplex: the gradient is least, and equal, where there is weight
    least = g.min(1, keepdims=True)
    ok(np.max((g - least) * r.w) < 1e-4 * np.abs(g).max(), "sums of one: no exchange of weight helps (%.1e)" %
       (np.max((g - least) * r.w) / np.abs(g).max()))


def gaps():
    truth = rng.dirichlet(np.full(3, .4), size=800) @ peaks(48, 3) * 100
    x = truth + rng.normal(size=truth.shape)
    hidden = rng.random(x.shape) < 0.3
    seen = np.where(hidden, np.nan, x)
    r = Result(seen, 3)
    promises("gaps", seen, r)
    ok(abs(r.objective * 2 / r.error2 - 1) < 1e-9, "gaps: the objective counts what is there")
    rms = np.sqrt(np.mean((x - r.w @ r.h)[hidden] ** 2))
    ok(rms < 1.1, "gaps: 30 %% hidden are foretold to %.3f of the noise" % rms)
    # a masked problem has its own stationary point: gradients over what is there
    d = np.where(hidden, 0, r.w @ r.h - x)
    gw, gh = d @ r.h.T, r.w.T @ d
    a, b = np.linalg.norm(r.w, axis=0), np.linalg.norm(r.h, axis=1)
    z = np.sqrt(np.sum(np.minimum(r.w * b, gw / b) ** 2) + np.sum(np.minimum(r.h * a[:, None], gh / a[:, None]) ** 2))
    ok(z < 2e-5 * np.linalg.norm(x), "gaps: KKT residual of the masked problem %.1e" % (z / np.linalg.norm(x)))


def perron():
    x = rng.random((300, 40))
    r = Result(x, 1, tol=1e-12)
    u, s, v = np.linalg.svd(x, full_matrices=False)
    angle = np.arccos(min(1, abs(v[0] @ r.h[0]) / np.linalg.norm(r.h[0])))
    ok(angle < 1e-7 and abs(r.error2 / np.sum(s[1:] ** 2) - 1) < 1e-10, "k = 1: the leading singular pair (%.1e)" % angle)


rng = np.random.default_rng(30)
mix = rng.dirichlet(np.full(5, .3), size=1500)
euclidean("low noise", np.abs(1000 * (mix @ peaks(80, 5)) + rng.normal(size=(1500, 80))), 5)
euclidean("high noise", np.abs(10 * (mix @ peaks(80, 5)) + rng.normal(size=(1500, 80))), 5)
euclidean("float32", np.abs(100 * (mix @ peaks(80, 5)) + rng.normal(size=(1500, 80))).astype("f4"), 4)
euclidean("fewer rows than channels", rng.poisson(30 * (mix[:60] @ peaks(200, 5))).astype("f8"), 3)
euclidean("no structure", rng.random((300, 30)), 4)
x = 100 * (rng.dirichlet(np.full(3, .2), size=400) @ np.kron(np.eye(3), np.ones(8)))
wide, tall = Result(x, 3, tol=1e-9), Result(np.ascontiguousarray(x.T), 3, tol=1e-9)
ok(max(wide.error2, tall.error2) < 1e-10 * wide.norm2, "transposed: as well (%.1e, %.1e)" % (wide.error2, tall.error2))
perron()
counts()
penalties()
gaps()
print("1..%d" % count)
sys.exit(failures != 0)
