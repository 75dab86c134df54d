/* version - which HDF5 library is in use. */
#ifndef HS_STORE_VERSION_H
#define HS_STORE_VERSION_H

void hs_store_version(char text[32]);         /* "1.10.8" */

#endif
