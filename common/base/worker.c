#include "base/worker.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>

struct hs_worker {
	pthread_t thread;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	void (*job)(void *ctx);
	void *ctx;
	bool busy, leave;
};

static void *live(void *arg)
{
	struct hs_worker *w = arg;
	pthread_mutex_lock(&w->lock);
	while (!w->leave) {
		if (!w->busy) {
			pthread_cond_wait(&w->changed, &w->lock);
			continue;
		}
		pthread_mutex_unlock(&w->lock);
		w->job(w->ctx);
		pthread_mutex_lock(&w->lock);
		w->busy = false;
		pthread_cond_broadcast(&w->changed);
	}
	pthread_mutex_unlock(&w->lock);
	return NULL;
}

struct hs_worker *hs_worker_new(void (*job)(void *ctx), void *ctx)
{
	struct hs_worker *w = calloc(1, sizeof *w);
	if (!w)
		return NULL;
	w->job = job;
	w->ctx = ctx;
	pthread_mutex_init(&w->lock, NULL);
	pthread_cond_init(&w->changed, NULL);
	if (pthread_create(&w->thread, NULL, live, w) != 0) {
		pthread_cond_destroy(&w->changed);
		pthread_mutex_destroy(&w->lock);
		free(w);
		return NULL;
	}
	return w;
}

void hs_worker_start(struct hs_worker *w)
{
	pthread_mutex_lock(&w->lock);
	w->busy = true;
	pthread_cond_broadcast(&w->changed);
	pthread_mutex_unlock(&w->lock);
}

void hs_worker_wait(struct hs_worker *w)
{
	if (!w)
		return;
	pthread_mutex_lock(&w->lock);
	while (w->busy)
		pthread_cond_wait(&w->changed, &w->lock);
	pthread_mutex_unlock(&w->lock);
}

void hs_worker_free(struct hs_worker *w)
{
	if (!w)
		return;
	hs_worker_wait(w);
	pthread_mutex_lock(&w->lock);
	w->leave = true;
	pthread_cond_broadcast(&w->changed);
	pthread_mutex_unlock(&w->lock);
	pthread_join(w->thread, NULL);
	pthread_cond_destroy(&w->changed);
	pthread_mutex_destroy(&w->lock);
	free(w);
}
