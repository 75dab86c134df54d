#include "cli/libs.h"

#include "math/par.h"
#include "store/version.h"

void hs_libs_text(struct hs_str *out)
{
	char hdf5[32], blas[64];
	hs_store_version(hdf5);
	hs_par_blas_version(blas);
	hs_str_addf(out, "HDF5 %s, OpenBLAS %s", hdf5, blas);
}

void hs_libs_json(struct hs_json *j)
{
	char hdf5[32], blas[64];
	hs_store_version(hdf5);
	hs_par_blas_version(blas);
	hs_json_text(j, "hdf5", hdf5);
	hs_json_text(j, "openblas", blas);
}
