#include "store/vfd.h"

#include <errno.h>
#include <limits.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

struct fd_file {
	H5FD_t base;                  /* first: HDF5 sees only this */
	int fd;
	bool writable;
	haddr_t end_of_addresses, end_of_file;
	unsigned length_bytes;        /* of the lengths in the file: its superblock says it */
	dev_t device;
	ino_t inode;
};

struct fd_info {
	int fd;
};

static H5FD_t *fd_open(const char *name, unsigned flags, hid_t fapl, haddr_t max_address)
{
	(void)name;
	(void)max_address;
	const struct fd_info *info = H5Pget_driver_info(fapl);
	struct stat st;
	if (!info || fstat(info->fd, &st) < 0 || ((flags & H5F_ACC_TRUNC) && ftruncate(info->fd, 0) < 0))
		return NULL;
	struct fd_file *f = calloc(1, sizeof *f);
	if (!f)
		return NULL;
	f->fd = info->fd;
	f->length_bytes = 8;
	f->writable = flags & H5F_ACC_RDWR;
	f->device = st.st_dev;
	f->inode = st.st_ino;
	f->end_of_file = flags & H5F_ACC_TRUNC ? 0 : (haddr_t)st.st_size;
	return &f->base;
}

static herr_t fd_close(H5FD_t *file)
{
	free(file);
	return 0;
}

static int order(unsigned long long a, unsigned long long b)
{
	return a < b ? -1 : a > b;
}

static int fd_compare(const H5FD_t *a, const H5FD_t *b)
{
	const struct fd_file *x = (const struct fd_file *)a, *y = (const struct fd_file *)b;
	return x->device != y->device ? order(x->device, y->device) : order(x->inode, y->inode);
}

/* No H5FD_FEAT_POSIX_COMPAT_HANDLE: with it HDF5 looks for the real path of the name, the very thing that fails. */
static herr_t fd_query(const H5FD_t *file, unsigned long *flags)
{
	(void)file;
	*flags = H5FD_FEAT_AGGREGATE_METADATA | H5FD_FEAT_ACCUMULATE_METADATA | H5FD_FEAT_DATA_SIEVE | H5FD_FEAT_AGGREGATE_SMALLDATA |
		H5FD_FEAT_DEFAULT_VFD_COMPATIBLE;
	return 0;
}

static haddr_t fd_get_eoa(const H5FD_t *file, H5FD_mem_t type)
{
	(void)type;
	return ((const struct fd_file *)file)->end_of_addresses;
}

static herr_t fd_set_eoa(H5FD_t *file, H5FD_mem_t type, haddr_t address)
{
	(void)type;
	((struct fd_file *)file)->end_of_addresses = address;
	return 0;
}

static haddr_t fd_get_eof(const H5FD_t *file, H5FD_mem_t type)
{
	(void)type;
	return ((const struct fd_file *)file)->end_of_file;
}

static herr_t fd_handle(H5FD_t *file, hid_t fapl, void **handle)
{
	(void)fapl;
	*handle = &((struct fd_file *)file)->fd;
	return 0;
}

static int read_fully(int fd, haddr_t address, size_t n, void *to)
{
	char *at = to;
	while (n) {
		const ssize_t k = pread(fd, at, n, (off_t)address);
		if (k < 0 && errno == EINTR)
			continue;
		if (k < 0)
			return -1;
		if (k == 0) {         /* behind the end of the file lies nothing, which reads as zeros */
			memset(at, 0, n);
			return 0;
		}
		at += k;
		address += (haddr_t)k;
		n -= (size_t)k;
	}
	return 0;
}

/* A little-endian length of n bytes. */
static uint64_t length_at(const unsigned char *at, unsigned n)
{
	uint64_t length = 0;
	for (unsigned i = n; i-- > 0; )
		length = length << 8 | at[i];
	return length;
}

/* A collection of the global heap: a head of magic "GCOL", version, 3 unused bytes and its length; then objects of index, count
 * of references, 4 unused bytes, length and contents, whose places are multiples of 8; index 0 is what is free, whose
 * length counts its own head. (HDF5 file format specification 3.0, III.E.) HDF5 1.10 trusts these lengths: one beyond the end
 * is read beyond the end, and an empty free object is looked at for ever. It reads heaps as it reads values, so the first
 * eight bytes are all that tells them apart. */
static bool heap_is_sound(const struct fd_file *f, haddr_t address, const unsigned char *start, size_t n)
{
	static const char magic[8] = "GCOL\1";
	const unsigned length_bytes = f->length_bytes, head = (8 + length_bytes + 7) / 8 * 8;
	if (n < head || memcmp(start, magic, sizeof magic))
		return true;                  /* values; the rest of a heap that was looked at before; or HDF5 refuses it itself */
	const uint64_t size = length_at(start + 8, length_bytes);
	if (size < head || size > f->end_of_file)
		return false;
	unsigned char *all = malloc(size);
	bool sound = all && read_fully(f->fd, address, size, all) == 0;
	for (uint64_t at = head; sound && size - at >= head; ) {
		const uint64_t length = length_at(all + at + 8, length_bytes), left = size - at;
		const bool is_free = all[at] == 0 && all[at + 1] == 0;
		sound = is_free ? length >= head && length <= left : length <= left - head && (length + 7) / 8 * 8 <= left - head;
		at += is_free ? length : head + (length + 7) / 8 * 8;
	}
	free(all);
	return sound;
}

/* The superblock says how many bytes a length has (versions 0 and 1, 2 and 3). */
static void learn_sizes(struct fd_file *f, const unsigned char *block, size_t n)
{
	static const char magic[8] = "\x89HDF\r\n\x1a\n";
	if (n > 14 && !memcmp(block, magic, 8)) {
		const unsigned bytes = block[block[8] < 2 ? 14 : 10];
		f->length_bytes = bytes == 2 || bytes == 4 ? bytes : 8;
	}
}

static herr_t fd_read(H5FD_t *file, H5FD_mem_t type, hid_t dxpl, haddr_t address, size_t n, void *to)
{
	(void)dxpl;
	struct fd_file *f = (struct fd_file *)file;
	if (read_fully(f->fd, address, n, to) < 0)
		return -1;
	if (type == H5FD_MEM_SUPER)
		learn_sizes(f, to, n);
	return f->writable || heap_is_sound(f, address, to, n) ? 0 : -1;
}

static herr_t fd_write(H5FD_t *file, H5FD_mem_t type, hid_t dxpl, haddr_t address, size_t n, const void *from)
{
	(void)type;
	(void)dxpl;
	struct fd_file *f = (struct fd_file *)file;
	const char *at = from;
	while (n) {
		const ssize_t k = pwrite(f->fd, at, n, (off_t)address);
		if (k < 0 && errno == EINTR)
			continue;
		if (k < 0)
			return -1;
		at += k;
		address += (haddr_t)k;
		n -= (size_t)k;
	}
	if (address > f->end_of_file)
		f->end_of_file = address;
	return 0;
}

static herr_t fd_truncate(H5FD_t *file, hid_t dxpl, hbool_t closing)
{
	(void)dxpl;
	(void)closing;
	struct fd_file *f = (struct fd_file *)file;
	if (!f->writable || f->end_of_addresses == f->end_of_file)
		return 0;
	if (ftruncate(f->fd, (off_t)f->end_of_addresses) < 0)
		return -1;
	f->end_of_file = f->end_of_addresses;
	return 0;
}

static const H5FD_class_t driver = {
	.name = "hs_fd", .maxaddr = (haddr_t)LLONG_MAX, .fc_degree = H5F_CLOSE_WEAK, .fapl_size = sizeof(struct fd_info),
	.open = fd_open, .close = fd_close, .cmp = fd_compare, .query = fd_query, .get_eoa = fd_get_eoa, .set_eoa = fd_set_eoa,
	.get_eof = fd_get_eof, .get_handle = fd_handle, .read = fd_read, .write = fd_write, .truncate = fd_truncate,
	.fl_map = H5FD_FLMAP_DICHOTOMY,
};

herr_t hs_fapl_set_fd(hid_t fapl, int fd)
{
	static hid_t registered = -1;
	if (registered < 0 && (registered = H5FDregister(&driver)) < 0)
		return -1;
	const struct fd_info info = { fd };
	return H5Pset_driver(fapl, registered, &info);
}
