#include "store/crash.h"

#include <errno.h>
#include <hdf5.h>
#include <link.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <ucontext.h>
#include <unistd.h>

#include "base/err.h"
#include "base/mem.h"
#include "store/draft.h"

/* How far above the stack pointer a caller is looked for: what memcpy, free and abort need for themselves is less. */
enum { MOST_FILES = 16, NEAR_WORDS = 512, STACK_BYTES = 64 << 10 };

static const int fault[] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT };
static struct sigaction before[HS_LEN(fault)];
static const char *volatile watched[MOST_FILES];
static int n_watched;

struct range {
	uintptr_t from, to;
};
static struct range hdf5_text;

static int find_text(struct dl_phdr_info *module, size_t size, void *ctx)
{
	const uintptr_t inside = (uintptr_t)H5Fopen;
	(void)size, (void)ctx;
	for (int i = 0; i < module->dlpi_phnum; i++) {
		const ElfW(Phdr) *part = &module->dlpi_phdr[i];
		const uintptr_t from = module->dlpi_addr + part->p_vaddr;
		if (part->p_type == PT_LOAD && inside >= from && inside - from < part->p_memsz) {
			hdf5_text = (struct range){ from, from + part->p_memsz };
			return 1;
		}
	}
	return 0;
}

static bool in_hdf5(uintptr_t address)
{
	return address >= hdf5_text.from && address < hdf5_text.to;
}

extern void *__libc_stack_end;

/* Read word by word, also where a sanitizer would object: it is the stack of a function that is lost anyway. */
__attribute__((no_sanitize("address", "undefined")))
int hs_crash_is_hdf5(const void *instruction, const void *stack)
{
	const uintptr_t *word = (const uintptr_t *)((uintptr_t)stack & ~(sizeof(uintptr_t) - 1)), *end = __libc_stack_end;
	if (in_hdf5((uintptr_t)instruction))
		return 1;
	for (int i = 0; i < NEAR_WORDS && word + i < end; i++)
		if (in_hdf5(word[i]))
			return 1;
	return 0;
}

static void add(char line[512], size_t *n, const char *text)
{
	while (*text && *n < 511)
		line[(*n)++] = *text++;
}

/* Only what a signal handler may call. */
static void give_up(void)
{
	const char *name = NULL;
	char line[512];
	size_t n = 0;
	for (int i = 0; i < MOST_FILES; i++)
		if (watched[i])
			name = watched[i];
	add(line, &n, program_invocation_short_name);
	add(line, &n, ": cannot read '");
	add(line, &n, name ? name : "?");
	add(line, &n, "': the file is damaged so badly that HDF5 itself crashes on it\n");
	line[n - 1] = '\n';
	const ssize_t written = write(STDERR_FILENO, line, n);
	(void)written;
	hs_draft_remove_all();
	_exit(HS_BAD_DATA);
}

static void on_fault(int number, siginfo_t *info, void *context)
{
	const ucontext_t *at = context;
	(void)info;
#if defined __x86_64__
	const void *instruction = (const void *)at->uc_mcontext.gregs[REG_RIP], *stack = (const void *)at->uc_mcontext.gregs[REG_RSP];
#elif defined __aarch64__
	const void *instruction = (const void *)at->uc_mcontext.pc, *stack = (const void *)at->uc_mcontext.sp;
#else
#error "crash.c: say where this machine keeps its instruction and stack pointers"
#endif
	if (hs_crash_is_hdf5(instruction, stack))
		give_up();
	/* ours: back to the instruction, or to abort(), which raises it again */
	for (size_t i = 0; i < HS_LEN(fault); i++)
		if (fault[i] == number)
			sigaction(number, &before[i], NULL);
}

static void install(void)
{
	/* the handler has a stack of its own: endless recursion is one way to crash */
	static char room[STACK_BYTES];
	const stack_t stack = { .ss_sp = room, .ss_size = sizeof room };
	stack_t there;
	struct sigaction action = { .sa_sigaction = on_fault, .sa_flags = SA_SIGINFO | SA_ONSTACK };
	if (!hdf5_text.to)
		dl_iterate_phdr(find_text, NULL);
	if (sigaltstack(NULL, &there) == 0 && (there.ss_flags & SS_DISABLE))
		sigaltstack(&stack, NULL);
	sigemptyset(&action.sa_mask);
	for (size_t i = 0; i < HS_LEN(fault); i++)
		sigaction(fault[i], &action, &before[i]);
}

void hs_crash_watch(const char *name)
{
	for (int i = 0; i < MOST_FILES; i++)
		if (!watched[i]) {
			watched[i] = name;
			break;
		}
	if (!n_watched++)
		install();
}

void hs_crash_unwatch(const char *name)
{
	for (int i = 0; i < MOST_FILES; i++)
		if (watched[i] == name)
			watched[i] = NULL;
	if (!--n_watched)
		for (size_t i = 0; i < HS_LEN(fault); i++)
			sigaction(fault[i], &before[i], NULL);
}
