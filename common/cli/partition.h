/* partition - clusters of pixels, written the way every clustering is written.
 *
 * Into the tool's step go
 *	labels            (pixels...)              int32     -1 none, cluster 0 is the largest; the step's default signal
 *	centroids         (cluster, channels...)   float64   mean of the members, standard deviation as data_errors
 *	sizes             (cluster)                int32     pixels
 *	centroid_spectra  (cluster, channels...)   float64   when scores were clustered: centroids turned into spectra
 *	choice            (clusters)               float64   how each number did that was tried, an index a column
 *	dendrogram        (merge)                  float64   height, with columns left, right and size, and
 *	leaves            (pixels...)              int32     the leaf of each pixel, -1 none
 * Clusters are numbered from 0. When there is none, labels alone are written. Everything is borrowed. */
#ifndef HS_CLI_PARTITION_H
#define HS_CLI_PARTITION_H

#include "cli/pixels.h"
#include "cluster/choose.h"
#include "cluster/clusters.h"
#include "cluster/ward.h"

/* finished: false flags the labels as not converged. */
int hs_partition_put(struct hs_out *out, const struct hs_pixels *px, const struct hs_partition *part, bool finished,
	struct hs_err *err);

int hs_partition_put_choice(struct hs_out *out, const struct hs_pixels *px, const struct hs_k_table *table, struct hs_err *err);

/* leaf: n_pix. A tree of one leaf is not written. */
int hs_partition_put_tree(struct hs_out *out, const struct hs_pixels *px, const struct hs_dendrogram *tree, const int32_t *leaf,
	struct hs_err *err);

/* The first axis of a signal counts from 0, as labels do. */
void hs_partition_number(struct hs_signal *s);

#endif
