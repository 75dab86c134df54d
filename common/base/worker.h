/* worker - a thread of one's own that does one job, again and again, while its owner goes on with something else.
 *
 * The thread lives as long as the struct, so what it has built up (its OpenMP team, its caches) is there for the next job.
 * One owner thread calls these functions; job runs in the worker's thread and may use what the owner does not touch between
 * start and wait. */
#ifndef HS_BASE_WORKER_H
#define HS_BASE_WORKER_H

struct hs_worker;

/* NULL when the system grants no thread. */
struct hs_worker *hs_worker_new(void (*job)(void *ctx), void *ctx);
void hs_worker_start(struct hs_worker *worker);           /* not while a job runs */
/* for the job under way; at once when there is none, or worker is NULL */
void hs_worker_wait(struct hs_worker *worker);
void hs_worker_free(struct hs_worker *worker);            /* waits first; accepts NULL */

#endif
