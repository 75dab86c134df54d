#include "store/version.h"

#include <hdf5.h>
#include <stdio.h>

void hs_store_version(char text[32])
{
	unsigned major, minor, release;
	H5get_libversion(&major, &minor, &release);
	snprintf(text, 32, "%u.%u.%u", major, minor, release);
}
