/* What this machine can do at most, and what a command takes: the yardsticks of scripts/bench.
 *   machine floors FILE P     prints lines "read|copy|ssyrk|dsyrk|sgemm RATE [one-core RATE]": bytes/s or flop/s, best of five;
 *                             reading is of FILE, warm, by all cores; matrices have P columns
 *   machine time COMMAND...   runs it with standard output thrown away and prints "SECONDS PEAK_BYTES STATUS" */
#include <cblas.h>
#include <fcntl.h>
#include <omp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { TRIES = 5, ROWS = 8192, STRETCH = 4 << 20 };

static double now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double)t.tv_sec + 1e-9 * (double)t.tv_nsec;
}

static void *memory(size_t bytes)
{
	unsigned char *p = malloc(bytes);
	if (!p) {
		fprintf(stderr, "machine: out of memory\n");
		exit(4);
	}
	for (size_t i = 0; i < bytes; i++)
		p[i] = (unsigned char)(i % 61);
	return p;
}

static double read_rate(const char *path)
{
	struct stat st;
	const int fd = open(path, O_RDONLY);
	if (fd < 0 || fstat(fd, &st) < 0 || st.st_size == 0) {
		fprintf(stderr, "machine: cannot read '%s'\n", path);
		exit(4);
	}
	double best = 0;
	for (int i = 0; i < TRIES; i++) {
		const double start = now();
#pragma omp parallel
		{
			char *to = malloc(STRETCH);
#pragma omp for schedule(dynamic, 1)
			for (off_t at = 0; at < st.st_size; at += STRETCH)
				if (!to || pread(fd, to, STRETCH, at) < 0)
					abort();
			free(to);
		}
		const double rate = (double)st.st_size / (now() - start);
		best = rate > best ? rate : best;
	}
	close(fd);
	return best;
}

/* Bytes read and written a second by copying blocks that no cache holds. */
static double copy_rate(void)
{
	const size_t n = (size_t)128 << 20;
	char *from = memory(n), *to = memory(n);
	double best = 0;
	for (int i = 0; i < TRIES; i++) {
		const double start = now();
#pragma omp parallel for schedule(static)
		for (size_t at = 0; at < n; at += STRETCH)
			memcpy(to + at, from + at, STRETCH);
		const double rate = 2 * (double)n / (now() - start);
		best = rate > best ? rate : best;
	}
	free(from);
	free(to);
	return best;
}

enum kernel { SSYRK, DSYRK, SGEMM };

/* Every thread multiplies a block of its own, BLAS single-threaded: how the toolkit uses it. */
static double blas_rate(enum kernel kernel, int p, int threads)
{
	const int k = 8;
	double best = 0;
	for (int i = 0; i < TRIES; i++) {
		double seconds = 0;
#pragma omp parallel num_threads(threads)
		{
			const size_t size = kernel == DSYRK ? sizeof(double) : sizeof(float);
			void *x = memory((size_t)ROWS * (size_t)p * size), *c = memory((size_t)p * (size_t)p * size);
			memset(x, 0, (size_t)ROWS * (size_t)p * size);
			memset(c, 0, (size_t)p * (size_t)p * size);
#pragma omp barrier
			const double start = now();
			if (kernel == SSYRK)
				cblas_ssyrk(CblasRowMajor, CblasUpper, CblasTrans, p, ROWS, 1, x, p, 0, c, p);
			else if (kernel == DSYRK)
				cblas_dsyrk(CblasRowMajor, CblasUpper, CblasTrans, p, ROWS, 1, x, p, 0, c, p);
			else
				cblas_sgemm(CblasRowMajor, CblasNoTrans, CblasTrans, ROWS, k, p, 1, x, p, c, p, 0, x, k);
#pragma omp barrier
#pragma omp master
			seconds = now() - start;
			free(x);
			free(c);
		}
		const double flop = kernel == SGEMM ? 2.0 * ROWS * p * k : (double)ROWS * p * (p + 1.0), rate = threads * flop / seconds;
		best = rate > best ? rate : best;
	}
	return best;
}

static int time_command(char **argv)
{
	struct rusage use;
	int status;
	const double start = now();
	const pid_t child = fork();
	if (child == 0) {
		const int nothing = open("/dev/null", O_WRONLY);
		dup2(nothing, STDOUT_FILENO);
		execvp(argv[0], argv);
		_exit(127);
	}
	if (child < 0 || wait4(child, &status, 0, &use) < 0)
		return 4;
	printf("%.4f %.0f %d\n", now() - start, (double)use.ru_maxrss * 1024, WIFEXITED(status) ? WEXITSTATUS(status) :
		128 + WTERMSIG(status));
	return 0;
}

int main(int argc, char **argv)
{
	if (argc > 2 && !strcmp(argv[1], "time"))
		return time_command(argv + 2);
	const int p = argc == 4 && !strcmp(argv[1], "floors") ? atoi(argv[3]) : 0, all = omp_get_max_threads();
	if (p < 1 || p > 32768) {
		fprintf(stderr, "usage: machine floors FILE P | machine time COMMAND...\n");
		return 2;
	}
	openblas_set_num_threads(1);
	printf("read %.4g\ncopy %.4g\n", read_rate(argv[2]), copy_rate());
	printf("ssyrk %.4g one-core %.4g\n", blas_rate(SSYRK, p, all), blas_rate(SSYRK, p, 1));
	printf("dsyrk %.4g one-core %.4g\n", blas_rate(DSYRK, p, all), blas_rate(DSYRK, p, 1));
	printf("sgemm %.4g one-core %.4g\n", blas_rate(SGEMM, p, all), blas_rate(SGEMM, p, 1));
	return 0;
}
