#include "cli/libs.h"

#include "math/fft.h"
#include "math/par.h"
#include "store/version.h"

void hs_libs_text(struct hs_str *out)
{
	char hdf5[32], blas[64], fftw[32];
	hs_store_version(hdf5);
	hs_par_blas_version(blas);
	hs_fft_version(fftw);
	hs_str_addf(out, "HDF5 %s, OpenBLAS %s, FFTW %s", hdf5, blas, fftw);
}

void hs_libs_json(struct hs_json *j)
{
	char hdf5[32], blas[64], fftw[32];
	hs_store_version(hdf5);
	hs_par_blas_version(blas);
	hs_fft_version(fftw);
	hs_json_text(j, "hdf5", hdf5);
	hs_json_text(j, "openblas", blas);
	hs_json_text(j, "fftw", fftw);
}
