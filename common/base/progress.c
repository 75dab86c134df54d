#include "base/progress.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"

static struct {
	pthread_mutex_t lock;
	bool on, terminal, drawn;
	char task[64], unit[32];
	uint64_t total, done;
	double start_s, next_s, gap_s;
} state = { .lock = PTHREAD_MUTEX_INITIALIZER };

void hs_progress_enable(bool on)
{
	state.on = on;
	state.terminal = isatty(STDERR_FILENO);
}

void hs_progress_begin(const char *task, uint64_t total, const char *unit)
{
	snprintf(state.task, sizeof state.task, "%s", task);
	snprintf(state.unit, sizeof state.unit, "%s", unit);
	state.total = total;
	state.done = 0;
	state.start_s = hs_clock_s();
	state.gap_s = state.terminal ? 0.1 : 10;
	state.next_s = state.start_s + (state.terminal ? 1 : state.gap_s);
}

static void draw(double now_s)
{
	const double spent_s = now_s - state.start_s, rate = (double)state.done / spent_s,
		     part = state.total ? (double)state.done / (double)state.total : 0,
		     left_s = rate > 0 ? (double)(state.total - state.done) / rate : 0;
	if (state.terminal) {
		char bar[31];
		const int full = (int)(30 * (part < 1 ? part : 1));
		memset(bar, ' ', 30);
		memset(bar, '#', (size_t)full);
		bar[30] = 0;
		fprintf(stderr, "\r%-12.24s [%s] %3.0f %%  %.3g %s/s  %.0f s left \033[K", state.task, bar, 100 * part, rate, state.unit,
			left_s);
		state.drawn = true;
	} else {
		fprintf(stderr, "%s: %.0f %%, %.3g %s/s, %.0f s left\n", state.task, 100 * part, rate, state.unit, left_s);
		state.gap_s *= 1.5;
	}
	fflush(stderr);
}

void hs_progress_add(uint64_t done)
{
	if (!state.on)
		return;
	pthread_mutex_lock(&state.lock);
	state.done += done;
	const double now_s = hs_clock_s();
	if (now_s >= state.next_s && state.done < state.total) {
		draw(now_s);
		state.next_s = now_s + state.gap_s;
	}
	pthread_mutex_unlock(&state.lock);
}

void hs_progress_end(void)
{
	if (state.drawn) {
		fputs("\r\033[K", stderr);
		state.drawn = false;
	}
}
