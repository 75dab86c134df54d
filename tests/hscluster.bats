# hscluster: scenes of separate groups are found again, likeness means what --metric says, and data without groups end in an
# answer or a sentence.
load lib/common

# array FILE.nxs AXES EXPRESSION: numbers made by NumPy (np, and rng, a generator with a fixed seed), loaded
array() {
	need_python numpy
	"$PYTHON" -c "import numpy as np; rng = np.random.default_rng(7); np.save('array.npy', $3)" && hsload -q -f -a "$2" array.npy -o "$1"
}

# numbers FILE... STATEMENTS: Python about results of the newest step, result(0, 'labels') of the first file
numbers() {
	need_python h5py
	"$PYTHON" - "$@" <<- 'END' || fails "${*: -1}"
	import sys, h5py, numpy as np
	files = [h5py.File(name, 'r') for name in sys.argv[1:-1]]
	def result(i, name, what='data'):
	    entry = files[i]['entry']
	    return entry[max(k for k in entry if k.startswith('process_'))][name][what][()]
	def data(i): return files[i]['entry/data/data'][()]
	exec(sys.argv[-1])
	END
}

# same_results A B: every result is the same bits
same_results() {
	hscmp -t 0 --all "$1" "$2"
}

# groups [OPTION]...: five kinds of spectra, far apart, in scene.nxs
groups() {
	hsgen clusters -k 5 --size 40x30x64 --separation 20 "$@" -f -o scene.nxs
}

# -------------------------------------------------------------------- what is found

@test "separate groups are found again, every pixel of them" {
	local seed
	for seed in 1 2 3; do
		groups --seed $seed
		hscluster -k 5 scene.nxs -f -o out.nxs
		hscmp --as labels -d labels --with true_labels --tolerance 0 out.nxs scene.nxs
		hscmp --as spectra -d centroids --with true_centroids --tolerance 0.5deg out.nxs scene.nxs
	done
	check out.nxs
}

@test "-k auto finds how many groups there are" {
	local k
	for k in 2 4 6; do
		hsgen clusters -k $k --size 30x20x32 --separation 20 | hscluster --k-max 8 --report report.json -f -o out.nxs
		jq -e ".clusters == $k" report.json
	done
	numbers out.nxs 'assert list(result(0, "choice", "clusters")) == list(range(2, 9))
assert result(0, "choice").argmax() == 4 and result(0, "choice", "stability")[4] > 0.9'
	check out.nxs
}

@test "every method finds separate groups, and their number" {
	local method
	groups
	for method in gmm ward hdbscan spectral minibatch; do
		hscluster --method $method --k-max 7 --report report.json scene.nxs -f -o out.nxs
		hscmp --as labels -d labels --with true_labels --tolerance 0 out.nxs scene.nxs
		jq -e --arg m $method '.method == $m and .clusters == 5 and .noise == 0 and .status == "converged"' report.json
		check out.nxs
	done
	hscluster --method dbscan --report report.json scene.nxs -f -o out.nxs
	jq -e '.clusters == 5 and .noise < 60 and .eps > 0 and .coordinates == 8' report.json
	numbers out.nxs scene.nxs 'l, t = result(0, "labels"), result(1, "true_labels")
assert all(len(set(t[l == k])) == 1 for k in range(5)) and (l < 0).mean() < 0.05'
	check out.nxs
}

@test "gmm: memberships are probabilities, the label is the largest, BIC chooses" {
	groups
	hscluster --method gmm --k-max 7 --report report.json scene.nxs -o out.nxs
	numbers out.nxs 'm, l = result(0, "memberships"), result(0, "labels")
assert m.shape == (5, 30, 40) and m.dtype == np.float32 and np.allclose(m.sum(0), 1, atol=1e-6) and (m.argmax(0) == l).all()
assert list(result(0, "choice", "clusters")) == list(range(1, 8)) and result(0, "choice", "bic").argmin() == 4
for column in ("stability", "calinski_harabasz", "davies_bouldin", "inertia", "gap", "gap_error"):
    assert np.isfinite(result(0, "choice", column)[1:]).all()'
	jq -e '.gap_statistic == 5 and .bic > 0 and .coordinates == 10 and .variance_kept > 0.5' report.json
	hscluster --method gmm --covariance diag --components 4 -k 5 scene.nxs -f -o out.nxs
	hscmp --as labels -d labels --with true_labels --tolerance 0 out.nxs scene.nxs
}

@test "gmm: groups of one place and two sizes, where k-means cuts the large one" {
	array in.nxs y,x,energy 'np.where((np.arange(1600) % 2).reshape(40, 40, 1), 0.3, 8.0) * rng.normal(size=(40, 40, 3))'
	hscluster --method gmm -k 2 in.nxs -o out.nxs
	hscluster -k 2 in.nxs -f -o means.nxs
	numbers out.nxs means.nxs 't = np.arange(1600).reshape(40, 40) % 2
right = lambda l: max((l == t).mean(), (l != t).mean())
assert right(result(0, "labels")) > 0.98 and right(result(1, "labels")) < 0.9'
}

@test "ward: the dendrogram is a linkage, and its cut the labels" {
	groups
	need_python scipy
	hscluster --method ward -k 5 scene.nxs -o out.nxs
	numbers out.nxs 'import scipy.cluster.hierarchy as h
z = np.stack([result(0, "dendrogram", "left"), result(0, "dendrogram", "right"), result(0, "dendrogram"), result(0, "dendrogram", "size")], 1)
assert h.is_valid_linkage(z) and (np.diff(z[:, 2]) >= 0).all() and z[-1, 3] == 1200
leaf, l = result(0, "leaves").ravel(), result(0, "labels").ravel()
cut = h.fcluster(z, 5, "maxclust")[leaf]
assert sorted(leaf) == list(range(1200)) and len(set(zip(cut, l))) == 5'
}

@test "ward --connected: every cluster is one piece; more than 20000 pixels have small clusters as leaves" {
	need_python scipy
	array in.nxs y,x,energy 'rng.normal(size=(30, 40, 4)) + 3 * (np.arange(40) > 17)[None, :, None]'
	hscluster --method ward --connected -k 6 in.nxs -o out.nxs
	numbers out.nxs 'from scipy.ndimage import label
l = result(0, "labels")
assert all(label(l == k)[1] == 1 for k in range(6))'
	check out.nxs
	hsgen clusters -k 3 --size 160x130x6 --separation 20 -f -o scene.nxs
	hscluster --method ward -k 3 scene.nxs -f -o out.nxs
	hscmp --as labels -d labels --with true_labels --tolerance 0 out.nxs scene.nxs
	numbers out.nxs 'assert len(result(0, "dendrogram")) == 1999 and result(0, "leaves").max() == 1999 and result(0, "dendrogram", "size")[-1] == 20800'
}

@test "hdbscan and dbscan: noise is -1, has no part in the centroids, and is said" {
	array in.nxs y,x,energy 'np.where(np.arange(400).reshape(20, 20, 1) % 10 == 9, rng.uniform(-60, 60, (20, 20, 2)), rng.normal(size=(20, 20, 2)) + 20 * (np.arange(400).reshape(20, 20, 1) % 2))'
	hscluster --method hdbscan --min-size 40 in.nxs --report report.json -o out.nxs
	jq -e '.clusters == 2 and .noise > 15 and .noise < 60 and .min_size == 40' report.json
	numbers out.nxs 'l, s = result(0, "labels"), result(0, "strength")
assert (l == -1).sum() + result(0, "sizes").sum() == 400 and ((s == 0) >= (l == -1)).all() and s.min() >= 0 and s.max() == 1
o = result(0, "outlier"); assert 0 <= o.min() and o.max() <= 1 and o[l < 0].mean() > o[l >= 0].mean()'
	check out.nxs
	hscluster --method dbscan --eps 1.5 --min-points 6 in.nxs --report report.json -f -o out.nxs
	jq -e '.clusters == 2 and .noise > 25 and .eps == 1.5 and .min_points == 6' report.json
	gives 0 hscluster --method dbscan --eps 1e-9 in.nxs --report report.json -f -o out.nxs
	says "no clusters: all spectra are noise to DBSCAN"
	jq -e '.clusters == 0 and .sizes == [] and .noise == 400' report.json
	numbers out.nxs 'assert (result(0, "labels") == -1).all()'
	check out.nxs
}

@test "spectral: rings, which no centroid describes" {
	array in.nxs y,x,energy '(lambda a, r: np.stack([r * np.cos(a), r * np.sin(a)], -1) + 0.15 * rng.normal(size=(30, 30, 2)))(rng.uniform(0, 6.283, (30, 30)), np.where(np.arange(900).reshape(30, 30) % 2, 2.0, 6.0))'
	hscluster --method spectral -k 2 in.nxs -o out.nxs
	numbers out.nxs 't = np.arange(900).reshape(30, 30) % 2; l = result(0, "labels")
assert max((l == t).mean(), (l != t).mean()) == 1 and len(result(0, "eigenvalues")) >= 2'
	check out.nxs
}

@test "--smooth and --potts mend single wrong pixels, keep -1, and say how many they changed" {
	local how
	array in.nxs y,x,energy '(np.arange(40)[None, :, None] > 19) * 1.0 + 0.6 * rng.normal(size=(40, 40, 1))'
	need_python numpy
	"$PYTHON" -c 'import numpy as np; m = np.zeros((40, 40), "u1"); m[5, 5] = 1; np.save("mask.npy", m)'
	hsload -a y,x mask.npy -o mask.nxs
	hscluster -k 2 --mask mask.nxs in.nxs -o rough.nxs
	for how in '--smooth 3' '--smooth 3 --neighbours 4' '--potts 1' '--smooth 5 --potts 1'; do
		# shellcheck disable=SC2086 # several words
		hscluster -k 2 --mask mask.nxs $how in.nxs --report report.json -f -o out.nxs
		numbers out.nxs rough.nxs 't = np.broadcast_to(np.arange(40) > 19, (40, 40))
wrong = lambda l: min((l[l >= 0] != t[l >= 0]).sum(), (l[l >= 0] == t[l >= 0]).sum())
a, b = result(0, "labels"), result(1, "labels")
assert wrong(a) * 2 < wrong(b) and a[5, 5] == -1 and (a == -1).sum() == 1, (wrong(a), wrong(b))
assert result(0, "sizes").sum() == 1599 and list(result(0, "sizes")) == sorted(result(0, "sizes"), reverse=True)'
		jq -e '.smoothed > 50 and (.sizes | add) == 1599' report.json
	done
	array points.nxs point,energy 'rng.normal(size=(20, 2))'
	refuses 2 hscluster -k 2 --smooth 1 points.nxs -f -o out.nxs
	says "--smooth wants pixels on a grid, these are scattered points"
}

@test "scores are clustered like spectra: the noise of the other components is gone" {
	groups --separation 8
	hspca -q -k 5 scene.nxs | hscluster -k auto --k-max 8 -o out.nxs
	hscmp --as labels -d labels --with true_labels --tolerance 0 out.nxs scene.nxs
	# centroids of scores are spectra again
	hscmp --as spectra -d centroid_spectra -w true_centroids --tolerance 1deg out.nxs scene.nxs
	check out.nxs
}

@test "when no number of clusters is stable, it says so" {
	array in.nxs y,x,energy 'rng.normal(size=(20, 20, 8))'
	gives 0 hscluster -k auto --k-max 5 in.nxs -o out.nxs
	says "warning: no number of clusters is stable"
}

@test "--metric angle does not see how bright a pixel is" {
	groups
	hscluster -m angle -k 5 scene.nxs -o plain.nxs
	need_python h5py
	"$PYTHON" -c 'import h5py, numpy as np
x = h5py.File("scene.nxs")["entry/data/data"][()]
np.save("lit.npy", x * 2.0 ** np.random.default_rng(1).integers(-4, 5, (30, 40, 1)))'
	hsload -a y,x,energy lit.npy -o lit.nxs
	hscluster -m angle -k 5 lit.nxs -o lit_out.nxs
	hscmp --as labels -d labels --tolerance 0 --ignore-axes lit_out.nxs plain.nxs
	hscluster -k 5 lit.nxs -o euclidean.nxs
	run -1 hscmp --as labels -d labels --tolerance 0.1 --ignore-axes euclidean.nxs plain.nxs
}

@test "labels count from the largest cluster, and sizes, centroids and inertia are theirs" {
	groups
	hscluster -k 5 scene.nxs --report report.json -o out.nxs
	numbers out.nxs scene.nxs 'l = result(0, "labels"); x = data(1).astype("f8"); n = result(0, "sizes")
assert l.dtype == np.int32 and list(n) == sorted(np.bincount(l.ravel()), reverse=True) == list(np.bincount(l.ravel()))
assert list(result(0, "sizes", "cluster")) == [0, 1, 2, 3, 4]
for k in range(5):
    assert np.allclose(result(0, "centroids")[k], x[l == k].mean(0), rtol=1e-12)
    assert np.allclose(result(0, "centroids", "data_errors")[k], x[l == k].std(0), rtol=1e-9)
import json
r = json.load(open("report.json"))
inertia = sum(((x[l == k] - x[l == k].mean(0)) ** 2).sum() for k in range(5))
total = ((x - x.mean((0, 1))) ** 2).sum()
assert np.isclose(r["inertia"], inertia, rtol=1e-9) and np.isclose(r["total"], total, rtol=1e-9)
assert r["sizes"] == [int(v) for v in n]
h = (total - inertia) / 4 / (inertia / (l.size - 5))
assert np.isclose(r["calinski_harabasz"], h, rtol=1e-9)'
}

@test "the inertia is not worse than scikit-learn's" {
	need_python sklearn
	hsgen mixture -k 6 --size 30x20x32 -o scene.nxs
	hscluster -k 7 scene.nxs --report report.json -o out.nxs
	"$PYTHON" -c 'import h5py, json
from sklearn.cluster import KMeans
x = h5py.File("scene.nxs")["entry/data/data"][()].reshape(-1, 32).astype("f8")
theirs = KMeans(7, n_init=10, random_state=0, tol=0).fit(x).inertia_
ours = json.load(open("report.json"))["inertia"]
assert ours <= theirs * 1.001, (ours, theirs)'
}

# -------------------------------------------------------------------- the same answer, however it is asked

@test "the same bytes for 1, 2, 3 and 8 threads" {
	local j options
	groups --separation 6
	for options in '-k 7 -r 3' '-k 7 -r 3 -m angle' '-k auto --k-max 4 -r 2' '--method gmm -k 4 -r 2' '--method ward -k 4 -m angle' \
		'--method hdbscan' '--method dbscan' '--method spectral -k 4 --potts 1' '--method minibatch -k 4 --smooth 2'; do
		# shellcheck disable=SC2086 # options are several words
		for j in 1 2 3 8; do
			hscluster -q $options -j $j scene.nxs -f -o out$j.nxs
			same_results out1.nxs out$j.nxs
		done
	done
}

@test "the same bytes from raw, compressed and rechunked files, and from a pipe" {
	groups
	hscluster -k 5 scene.nxs -o out.nxs
	groups --raw
	hscluster -k 5 scene.nxs -o raw.nxs
	hsgen clusters -k 5 --size 40x30x64 --separation 20 | hscluster -k 5 > pipe.nxs
	same_results out.nxs raw.nxs
	same_results out.nxs pipe.nxs
	nothing_left
	need h5repack
	groups
	h5repack -l /entry/data/data:CHUNK=7x3x64 -f /entry/data/data:GZIP=6 scene.nxs chunked.nxs
	hscluster -k 5 chunked.nxs -o chunked_out.nxs
	same_results out.nxs chunked_out.nxs
}

@test "the seed decides where the restarts begin, and is written down" {
	need h5dump
	hsgen mixture -k 6 --size 30x20x32 -o scene.nxs
	hscluster -k 9 -r 1 --seed 1 scene.nxs --report one.json -o one.nxs
	hscluster -k 9 -r 1 --seed 2 scene.nxs --report two.json -o two.nxs
	hscluster -k 9 -r 1 --seed 1 scene.nxs -o again.nxs
	same_results one.nxs again.nxs
	run -1 cmp one.json two.json
	h5dump -y -d /entry/process_02_hscluster/parameters/seed two.nxs | grep -q '^ *2$'
}

@test "--memory is kept for a cube twice as large" {
	need /usr/bin/time
	hsgen gradient --value 100 --size 1024x512x64 --dtype float64 --raw -o scene.nxs        # 256 MiB
	gives 5 /usr/bin/time -f %M -o peak hscluster -q -k 3 -r 1 --max-iter 1 --memory 132M scene.nxs -o out.nxs
	[ "$(tail -n 1 peak)" -lt $((132 * 1024)) ] || fails "peak memory $(cat peak) KiB for --memory 132M"
	rm scene.nxs
}

# -------------------------------------------------------------------- when it does not come to an end

@test "--max-iter 1: status 5, and the result says that it is not the end" {
	hsgen mixture -k 6 --size 30x20x32 -o scene.nxs
	gives 5 hscluster -k 6 --max-iter 1 scene.nxs --report report.json -o out.nxs
	[ "$stderr" = "hscluster: warning: k-means reached --max-iter before it converged" ]
	jq -e '.status == "maxiter" and .iterations == 1' report.json
	numbers out.nxs 'c = files[0]["entry/process_02_hscluster/labels/data"].attrs["comment"]; assert c.startswith("not converged"), c
assert len(np.unique(result(0, "labels"))) == 6'
	check out.nxs
}

@test "--deadline: status 5 with what there is, also when the number was still being chosen" {
	hsgen mixture -k 6 --size 100x100x64 -o scene.nxs
	gives 5 hscluster -k 20 --deadline 1ms scene.nxs --report report.json -o out.nxs
	says "stopped by --deadline"
	jq -e '.status == "stopped"' report.json
	check out.nxs
	gives 5 hscluster -k auto --deadline 1ms scene.nxs --report report.json -f -o out.nxs
	says "more than 2 clusters were not tried"
	jq -e '.status == "stopped" and .clusters == 2' report.json
	gives 0 hscluster -k 2 -r 1 --deadline 10min scene.nxs -f -o out.nxs
}

@test "--deadline: every method ends with what there is, status 5" {
	local method
	hsgen clusters -k 5 --size 150x130x8 --separation 20 -o scene.nxs
	for method in gmm ward dbscan hdbscan spectral minibatch; do
		gives 5 hscluster --method $method --deadline 1ms scene.nxs --report report.json -f -o out.nxs
		says "stopped by --deadline"
		jq -e '.status == "stopped"' report.json
		check out.nxs
	done
}

@test "every method: the same from a pipe, from big-endian numbers and with the channels first" {
	local method
	groups
	need_python h5py
	"$PYTHON" -c 'import h5py, numpy as np
x = h5py.File("scene.nxs")["entry/data/data"][()]
np.save("turned.npy", np.moveaxis(x, 2, 0).astype(">f4"))'
	hsload -a energy,y,x turned.npy -o turned.nxs
	for method in gmm ward dbscan hdbscan spectral minibatch; do
		hscluster -q --method $method --k-max 5 scene.nxs -f -o out.nxs
		hscluster -q --method $method --k-max 5 < scene.nxs > pipe.nxs
		same_results out.nxs pipe.nxs
		hscluster -q --method $method --k-max 5 turned.nxs -f -o turned_out.nxs
		numbers out.nxs turned_out.nxs 'assert np.array_equal(result(0, "labels"), result(1, "labels"))'
	done
}

# -------------------------------------------------------------------- data without groups

# ends STATUS LABELS OPTIONS...: with in.nxs; LABELS is how many clusters come out
ends() {
	local want=$1 clusters=$2
	shift 2
	rm -f out.nxs
	gives "$want" hscluster "$@" in.nxs -o out.nxs --report report.json || return 1
	if [ "$want" != 0 ]; then
		[ ! -e out.nxs ] || fails "status $want and yet a file"
		return
	fi
	jq -e ".clusters == $clusters and (.sizes | length == $clusters and all(. > 0))" report.json
	numbers out.nxs 'l = result(0, "labels")
assert sorted(set(l.ravel()) - {-1}) == list(range(len(result(0, "sizes")))) and np.isfinite(result(0, "centroids")).all()'
}

@test "every method meets zeros, one pixel, one channel, constants and copies" {
	local method k cube
	for method in gmm ward dbscan hdbscan spectral minibatch; do
		k='-k 3'
		case $method in *dbscan) k= ;; esac
		for cube in 'np.zeros((5, 6, 12))' 'rng.poisson(50, (1, 1, 12))' 'rng.poisson(50, (5, 6, 1))' 'np.full((5, 6, 4), 7.0)' \
			'np.repeat(rng.poisson(50, (3, 12)), 10, axis=0).reshape(5, 6, 12)' 'np.where(np.arange(12) == 5, 7.0, rng.normal(size=(5, 6, 12)))' \
			'rng.poisson(50, (5, 6, 12)) * 1e150' 'rng.poisson(50, (5, 6, 12)) * 1e-150'; do
			array in.nxs y,x,energy "$cube"
			# shellcheck disable=SC2086 # nothing or two words
			gives 0 hscluster -q --method $method $k in.nxs -f -o out.nxs --report report.json || fails "$method: $cube"
			jq -e '(.sizes | all(. > 0)) and .clusters <= 30' report.json > /dev/null || fails "$method: $cube: $(cat report.json)"
		done
		array in.nxs y,x,energy 'rng.poisson(50, (5, 6, 12)) * 1e300'
		# shellcheck disable=SC2086
		gives 3 hscluster -q --method $method $k in.nxs -f -o out.nxs || fails "$method: 1e300"
		array in.nxs y,x,energy 'np.full((5, 6, 12), np.nan)'
		# shellcheck disable=SC2086
		gives 3 hscluster -q --method $method $k in.nxs -f -o out.nxs || fails "$method: NaN"
	done
	[ ! -e failures ]
}

@test "an all-zero cube is one cluster; its angles are none" {
	array in.nxs y,x,energy 'np.zeros((8, 9, 32), "f4")'
	ends 0 1 -k 3
	says "warning: 3 clusters asked, there are only 1 different spectra"
	ends 0 1 -k auto
	jq -e '.silhouette == null and .calinski_harabasz == null' report.json
	ends 3 0 -k 2 -m angle
	says "no spectrum can be used"
}

@test "one pixel, one channel, a constant channel" {
	array in.nxs y,x,energy 'rng.poisson(50, (1, 1, 32))'
	ends 0 1 -k 3
	ends 0 1 -k auto
	array in.nxs y,x,energy 'rng.poisson(50, (8, 9, 1))'
	ends 0 3 -k 3
	ends 0 1 -k 3 -m angle
	array in.nxs y,x,energy 'np.where(np.arange(32) == 5, 7.0, rng.normal(size=(8, 9, 32)))'
	ends 0 3 -k 3
	numbers out.nxs 'assert (result(0, "centroids")[:, 5] == 7).all() and (result(0, "centroids", "data_errors")[:, 5] == 0).all()'
}

@test "more clusters than different spectra: as many as differ" {
	array in.nxs y,x,energy 'np.repeat(rng.poisson(50, (4, 32)), 18, axis=0).reshape(8, 9, 32)'
	ends 0 4 -k 100
	says "warning: 100 clusters asked, there are only 4 different spectra"
	jq -e '.inertia == 0 and .sizes == [18, 18, 18, 18]' report.json
	ends 0 4 -k auto
	array in.nxs y,x,energy 'rng.normal(size=(5, 5, 8))'
	ends 0 25 -k 26
}

@test "spectra with a NaN have label -1, and the others what they would have had without them" {
	groups
	hscluster -k 5 scene.nxs -o out.nxs
	need_python h5py
	"$PYTHON" -c 'import h5py, numpy as np
x = h5py.File("scene.nxs")["entry/data/data"][()]
x[3, 4, 7] = np.nan; x[5] = np.inf
np.save("nan.npy", x); np.save("all.npy", np.full((3, 4, 5), np.nan))'
	hsload -a y,x,energy nan.npy -o in.nxs
	hscluster -k 5 in.nxs -o nan_out.nxs
	numbers nan_out.nxs 'l = result(0, "labels"); assert (l == -1).sum() == 41 and l[3, 4] == -1 and (l[5] == -1).all()'
	hscmp --as labels -d labels --tolerance 0 --ignore-axes nan_out.nxs out.nxs
	hsload -q -f -a y,x,energy all.npy -o in.nxs
	ends 3 0 -k 2
	says "no spectrum can be used: all are masked, not finite or zero"
}

@test "an offset of 1e8 hides no group" {
	groups --dtype float64
	hscluster -k 5 scene.nxs -o out.nxs
	need_python h5py
	"$PYTHON" -c 'import h5py, numpy as np; np.save("high.npy", h5py.File("scene.nxs")["entry/data/data"][()] + 1e8)'
	hsload -a y,x,energy high.npy -o high.nxs
	hscluster -k 5 high.nxs -o high_out.nxs
	hscmp --as labels -d labels --tolerance 0 --ignore-axes high_out.nxs out.nxs
}

@test "values from 1e-300 to 1e300: the same groups, one group, or status 3" {
	local power
	for power in 1e-30 1e-20 1e20 1e150; do
		array in.nxs y,x,energy "np.repeat(rng.poisson(50, (4, 32)), 18, axis=0).reshape(8, 9, 32) * $power"
		ends 0 4 -k 4
		numbers out.nxs 'assert (result(0, "labels").reshape(4, 18) == result(0, "labels").reshape(4, 18)[:, :1]).all()'
	done
	array in.nxs y,x,energy 'rng.poisson(50, (8, 9, 32)) * 1e300'
	ends 3 0 -k 3
	says "values are too large: their squares overflow"
	array in.nxs y,x,energy 'rng.poisson(50, (8, 9, 32)) * 1e-300'
	ends 0 1 -k 3
}

# -------------------------------------------------------------------- which pixels, which signal

@test "--mask: label -1, and no part in the centroids" {
	need_python numpy
	groups
	"$PYTHON" -c 'import numpy as np; m = np.zeros((30, 40), "u1"); m[2, 3:7] = 8; m[9] = 1; np.save("mask.npy", m)'
	hsload -a y,x mask.npy -o mask.nxs
	hscluster -k 5 --mask mask.nxs scene.nxs -o out.nxs
	numbers out.nxs 'm = np.zeros((30, 40), bool); m[2, 3:7] = True; m[9] = True
assert np.array_equal(result(0, "labels") == -1, m) and result(0, "sizes").sum() == 1200 - 44'
	hscmp --as labels -d labels --with true_labels --tolerance 0 out.nxs scene.nxs
	# labels are a mask, too: cluster 0 is 0 and stays, the others go
	hscluster -k 2 --mask out.nxs scene.nxs -o within.nxs
	numbers within.nxs out.nxs 'assert np.array_equal(result(0, "labels") >= 0, result(1, "labels") == 0)'
}

@test "an image, a line scan, scattered points" {
	groups
	hscluster -d sum_image -k 3 scene.nxs -o out.nxs
	numbers out.nxs 'assert result(0, "labels").shape == (30, 40) and result(0, "centroids").shape == (3, 1)'
	array line.nxs x=0:2:nm,energy 'np.repeat([[1.0, 5], [7, 2]], 10, axis=0)'
	hscluster -k 2 line.nxs -f -o out.nxs
	check out.nxs
	numbers out.nxs 'assert list(result(0, "labels")) == [0] * 10 + [1] * 10 and result(0, "labels", "x")[1] == 2'
	array points.nxs point,energy 'np.repeat([[1.0, 5], [7, 2]], [4, 16], axis=0)'
	hscluster -k 2 points.nxs -f -o out.nxs
	numbers out.nxs 'assert list(result(0, "labels")) == [1] * 4 + [0] * 16 and len(result(0, "labels", "point")) == 20'
}

# -------------------------------------------------------------------- what is written

@test "the file holds labels, centroids, sizes, and all that came before" {
	need h5ls
	groups
	hspca -q -k 5 scene.nxs | hscluster -k 5 -o out.nxs
	check out.nxs
	h5ls -r out.nxs > list
	local name
	for name in process_01_hsgen/true_labels process_02_hspca/scores process_02_hspca/loadings process_03_hscluster/labels \
		process_03_hscluster/centroids process_03_hscluster/sizes process_03_hscluster/centroid_spectra mean_spectrum sum_image; do
		grep -q "^/entry/$name/data " list || fails "no $name"
	done
	run -1 grep -q '^/entry/data ' list
	# labels are what comes first
	hscmp -t 0 out.nxs --with process_03_hscluster/labels out.nxs
}

@test "--report names its numbers" {
	groups
	hscluster -k 5 scene.nxs --report report.json -o out.nxs
	jq -e '.program == "hscluster" and (.version | length > 0) and .clusters == 5 and .status == "converged" and .iterations > 0
		and .inertia > 0 and .total > .inertia and .silhouette > 0 and .silhouette < 1 and .calinski_harabasz > 0
		and .davies_bouldin > 0 and (.sizes | length == 5 and add == 1200)' report.json
}

@test "asked wrongly: status 2, one line, no file" {
	groups
	refuses 2 hscluster -k 0 scene.nxs -o out.nxs
	refuses 2 hscluster -k two scene.nxs -o out.nxs
	refuses 2 hscluster -m cosine scene.nxs -o out.nxs
	says "'cosine' is none of euclidean|angle"
	refuses 2 hscluster --method dbscan -k 3 scene.nxs -o out.nxs
	says "DBSCAN finds out how many clusters there are: it takes no -k"
	refuses 2 hscluster --connected scene.nxs -o out.nxs
	says "--connected is for --method ward"
	refuses 2 hscluster --method kmedoids scene.nxs -o out.nxs
	refuses 2 hscluster --tol 2 scene.nxs -o out.nxs
	refuses 2 hscluster --restarts 0 scene.nxs -o out.nxs
	refuses 2 hscluster --k-max 1 scene.nxs -o out.nxs
	refuses 2 hscluster -d nothing scene.nxs -o out.nxs
	gives 0 hscluster -n -k 3 scene.nxs -o out.nxs
	[ "$stderr" = "hscluster: would cluster 1200 spectra of 64 channels and write out.nxs" ]
	[ ! -e out.nxs ]
	echo mine > out.nxs
	refuses 2 hscluster -k 2 scene.nxs -o out.nxs
	[ "$(cat out.nxs)" = mine ]
	nothing_left
}

@test "spectra of clusters of scores are the means of their members, with and without centring" {
	need_python h5py
	groups
	local how
	for how in '' '-c none' '-p'; do
		# shellcheck disable=SC2086 # how is none, one or two words
		hspca -q -k 6 $how scene.nxs | hscluster -k 5 -f -o out.nxs
		"$PYTHON" -c 'import h5py, numpy as np
x = h5py.File("scene.nxs")["entry/data/data"][()]
e = h5py.File("out.nxs")["entry/process_03_hscluster"]
l, s = e["labels/data"][()], e["centroid_spectra/data"][()]
for k in range(5):
    m = x[l == k].mean(axis=0)
    assert np.abs(s[k] - m).max() < 0.2 * x.std(axis=(0, 1)).max(), (k, np.abs(s[k] - m).max())'
	done
}
