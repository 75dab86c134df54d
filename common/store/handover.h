/* handover - give the next program in a pipeline our finished file without copying it.
 *
 * The stream is an HDF5 file whose first 512 bytes (its user block) hold one line of text. Between two hstools on one host
 * that line is an offer: it names the writer's anonymous file as /proc/PID/fd/N together with everything needed to be
 * sure that the reader sees the very same file through the very same pipe. The reader opens it, acknowledges, and the
 * writer, who meanwhile has been sending plain bytes as if nothing were agreed, sees the pipe close and ends. In every
 * other situation (tee, ssh, another user, another namespace, no /proc) the bytes simply arrive.
 *
 *	HSPIPE1 size=BYTES                                      plain: only the length, so truncation is seen
 *	HSPIPE1 size=BYTES boot= pidns= pid= start= fd= ack= pipe= dev= ino= token=
 *
 * The line is untrusted input: numbers are bounded, the file must be regular, of the promised identity, owned by a
 * process of our own user, and begin with the same 512 bytes. HS_ZEROCOPY=0 switches the offer and its acceptance off. */
#ifndef HS_STORE_HANDOVER_H
#define HS_STORE_HANDOVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/err.h"

enum { HS_HANDOVER_BYTES = 512 };

/* Writer: puts the line into the first 512 bytes of file and sends the file down `to`. Returns when the reader has all of
 * it or has taken it over. A reader that leaves without taking ends this process by SIGPIPE, as any filter would. */
int hs_handover_send(int file, int to, struct hs_err *err);

/* Reader: block holds the first 512 bytes that came through the pipe `from`. Is it our line? Then *size is the promised
 * length. */
bool hs_handover_parse(const char block[HS_HANDOVER_BYTES], uint64_t *size);

/* Do n bytes, perhaps fewer than a block, begin like our line? */
bool hs_handover_begins(const char *bytes, size_t n);

/* Tries to take the offer: a descriptor of the writer's file, or -1 with the reason in why[80]. */
int hs_handover_take(const char block[HS_HANDOVER_BYTES], int from, char why[80]);

/* Plain bytes of a whole file to a descriptor, by the fastest way it allows. */
int hs_send_file(int file, uint64_t size, int to, struct hs_err *err);

#endif
