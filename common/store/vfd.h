/* vfd - an HDF5 file driver on an open descriptor.
 *
 * HDF5's own sec2 driver opens by path and resolves it, which fails for files that have no name (O_TMPFILE, unlinked,
 * memfd): exactly what our pipes hand over. This driver reads and writes with pread/pwrite on a descriptor it is given and
 * never closes. Works for named files as well. Of a file opened for reading it does not hand out a global heap whose lengths
 * do not add up: HDF5 1.10 believes them. */
#ifndef HS_STORE_VFD_H
#define HS_STORE_VFD_H

#include <hdf5.h>

/* Makes a file access property list open `fd`; the name given to H5Fopen or H5Fcreate is then only a label. */
herr_t hs_fapl_set_fd(hid_t fapl, int fd);

#endif
