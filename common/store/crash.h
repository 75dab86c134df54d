/* crash - what a crash inside the HDF5 library means while a stranger's file is open: the file is damaged.
 *
 * libhdf5 1.10 follows wild pointers on some broken files, and nothing outside it can know of all of them. h5probe.h sends a
 * child ahead; for what the child survives by luck there is this last line. A deadly fault in libhdf5, or in what libhdf5
 * called (memcpy, free), becomes one sentence on stderr and status 3 (bad data), and no output is left half written; any
 * other fault is our own and ends the process as it always would. This is the one place below the porch that prints and
 * ends: after such a fault there is nobody to return to.
 *
 * Thread rule: watched files are opened and closed by one thread at a time. Nothing is installed while none is open. */
#ifndef HS_STORE_CRASH_H
#define HS_STORE_CRASH_H

/* name is borrowed until the call of hs_crash_unwatch with the same pointer. */
void hs_crash_watch(const char *name);
void hs_crash_unwatch(const char *name);

#endif
