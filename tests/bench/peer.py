#!/usr/bin/python3
"""What a user of h5py and scikit-learn would run: peer.py pca|kmeans|nmf CUBE.nxs OUT.h5 - the whole process, from file to file.

pca: 8 components, scores and loadings. kmeans: 5 clusters, one start, 10 iterations (the same work as scripts/bench asks of us).
nmf: 5 components by coordinate descent, 50 iterations, which is not yet the end."""
import sys

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
    else:
        import warnings
        from sklearn.cluster import KMeans
        warnings.simplefilter("ignore")
        model = KMeans(5, n_init=1, max_iter=10, tol=0, random_state=0, algorithm="lloyd").fit(x)
        out["labels"], out["centroids"] = model.labels_.reshape(cube.shape[:-1]).astype("i4"), model.cluster_centers_
