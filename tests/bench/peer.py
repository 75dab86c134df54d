#!/usr/bin/python3
"""What a user of h5py and scikit-learn would run: peer.py pca|kmeans|nmf CUBE.nxs OUT.h5 - the whole process, from file to file.

pca: 8 components, scores and loadings. kmeans: 5 clusters, one start, 10 iterations (the same work as scripts/bench asks of us).
nmf: 5 components by coordinate descent, 50 iterations, which is not yet the end. normalise, ica: all of it.
fcls, fit: a part of the spectra; what all would take is printed as "estimate SECONDS"."""
import sys
import time

start = time.time()
import h5py
import numpy as np

with h5py.File(sys.argv[2], "r") as f:
    cube = f["entry/data/data"][()]
x = cube.reshape(-1, cube.shape[-1])
with h5py.File(sys.argv[3], "w") as out:
    if sys.argv[1] == "pca":
        from sklearn.decomposition import PCA
        model = PCA(8, svd_solver="full" if x.shape[1] <= 64 else "randomized", random_state=0)
        out["scores"] = model.fit_transform(x).astype("f4").T.reshape(8, *cube.shape[:-1])
        out["loadings"], out["variance"] = model.components_, model.explained_variance_
    elif sys.argv[1] == "nmf":
        import warnings
        from sklearn.decomposition import NMF
        warnings.simplefilter("ignore")
        model = NMF(5, init="nndsvda", max_iter=50, tol=0)
        out["abundances"] = model.fit_transform(x).astype("f4").T.reshape(5, *cube.shape[:-1])
        out["endmembers"] = model.components_
    elif sys.argv[1] == "normalise":
        out["data"] = (x / x.sum(1, keepdims=True)).reshape(cube.shape)
    elif sys.argv[1] == "ica":
        import warnings
        from sklearn.decomposition import PCA, FastICA
        warnings.simplefilter("ignore")
        scores = PCA(4, svd_solver="randomized", random_state=0).fit_transform(x)
        out["scores"] = FastICA(4, random_state=0, whiten="unit-variance").fit_transform(scores)
    elif sys.argv[1] == "fcls":
        # endmembers are given (k-means centres would cost more); abundances pixel by pixel, sum to one by a heavy row
        from scipy.optimize import nnls
        e = x[np.linspace(0, len(x) - 1, 4).astype(int)].T.astype("f8")
        heavy = 1e5 * np.abs(e).max()
        a = np.vstack([e, np.full(4, heavy)])
        before, part = time.time(), x[:2000]
        out["abundances"] = np.array([nnls(a, np.append(row, heavy))[0] for row in part])
        print("estimate", before - start + (time.time() - before) * len(x) / len(part), file=sys.stderr)
    elif sys.argv[1] == "fit":
        from scipy.optimize import curve_fit
        axis = np.arange(x.shape[1], dtype="f8")
        def model(t, h, c, w, o, s):
            return h * np.exp(-4 * np.log(2) * ((t - c) / w) ** 2) + o + s * t
        before, part, fits = time.time(), x[:100], []
        for row in part:
            top = int(row.argmax())
            try:
                fits.append(curve_fit(model, axis, row, [row[top], top, 20, row.min(), 0], sigma=np.sqrt(np.maximum(row, 1)))[0])
            except RuntimeError:
                fits.append(np.full(5, np.nan))
        out["parameters"] = np.array(fits)
        print("estimate", before - start + (time.time() - before) * len(x) / len(part), file=sys.stderr)
    else:
        import warnings
        from sklearn.cluster import KMeans
        warnings.simplefilter("ignore")
        model = KMeans(5, n_init=1, max_iter=10, tol=0, random_state=0, algorithm="lloyd").fit(x)
        out["labels"], out["centroids"] = model.labels_.reshape(cube.shape[:-1]).astype("i4"), model.cluster_centers_
