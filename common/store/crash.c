#include "store/crash.h"

#include <errno.h>
#include <hdf5.h>
#include <link.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <string.h>
#include <ucontext.h>
#include <unistd.h>
#include <unwind.h>

#include "base/err.h"
#include "base/mem.h"
#include "store/draft.h"

enum { MOST_FILES = 16, STACK_BYTES = 64 << 10 };

static const int fault[] = { SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT };
static struct sigaction before[HS_LEN(fault)];
static const char *volatile watched[MOST_FILES];
static int n_watched;

struct range {
	uintptr_t from, to;
};
static struct range hdf5, ourselves;

static bool holds(const struct range *range, uintptr_t address)
{
	return address >= range->from && address < range->to;
}

/* Where this module and libhdf5 lie. */
static int find_modules(struct dl_phdr_info *module, size_t size, void *ctx)
{
	(void)size, (void)ctx;
	for (int i = 0; i < module->dlpi_phnum; i++) {
		const ElfW(Phdr) *part = &module->dlpi_phdr[i];
		const struct range r = { module->dlpi_addr + part->p_vaddr, module->dlpi_addr + part->p_vaddr + part->p_memsz };
		if (part->p_type == PT_LOAD && holds(&r, (uintptr_t)H5Fopen))
			hdf5 = r;
		if (part->p_type == PT_LOAD && holds(&r, (uintptr_t)find_modules))
			ourselves = r;
	}
	return 0;
}

struct look {
	bool below;                   /* the frames of the handler itself are past */
	uintptr_t instruction;        /* that failed */
	bool in_hdf5, decided;
};

/* The nearest caller that is libhdf5 or one of us decides; what lies between is the C library and its like. */
static _Unwind_Reason_Code look_at_frame(struct _Unwind_Context *frame, void *ctx)
{
	struct look *look = ctx;
	const uintptr_t at = _Unwind_GetIP(frame);
	look->below |= at == look->instruction;
	look->in_hdf5 = holds(&hdf5, at);
	look->decided = look->below && (look->in_hdf5 || holds(&ourselves, at));
	return look->decided ? _URC_END_OF_STACK : _URC_NO_REASON;
}

/* A stack that cannot be followed was destroyed: not by us, as far as we know. */
static bool fault_is_in_hdf5(uintptr_t instruction)
{
	struct look look = { .instruction = instruction };
	if (holds(&hdf5, instruction))
		return true;
	if (holds(&ourselves, instruction))
		return false;
	_Unwind_Backtrace(look_at_frame, &look);
	return !look.decided || look.in_hdf5;
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
	static volatile sig_atomic_t looking;
	const ucontext_t *at = context;
	(void)info;
#if defined __x86_64__
	const uintptr_t instruction = (uintptr_t)at->uc_mcontext.gregs[REG_RIP];
#elif defined __aarch64__
	const uintptr_t instruction = (uintptr_t)at->uc_mcontext.pc;
#else
	const uintptr_t instruction = 0;      /* not known here: then only the stack says whose fault it is */
	(void)at;
#endif
	if (looking++ || fault_is_in_hdf5(instruction))       /* a fault while following the stack: it was destroyed */
		give_up();
	looking = 0;
	/* ours: back to the instruction, or to abort(), which raises it again */
	for (size_t i = 0; i < HS_LEN(fault); i++)
		if (fault[i] == number)
			sigaction(number, &before[i], NULL);
}

static _Unwind_Reason_Code nothing(struct _Unwind_Context *frame, void *ctx)
{
	(void)frame, (void)ctx;
	return _URC_END_OF_STACK;
}

static void install(void)
{
	/* the handler has a stack of its own: endless recursion is one way to crash */
	static char room[STACK_BYTES];
	const stack_t stack = { .ss_sp = room, .ss_size = sizeof room };
	stack_t there;
	struct sigaction action = { .sa_sigaction = on_fault, .sa_flags = SA_SIGINFO | SA_ONSTACK | SA_NODEFER };
	if (!hdf5.to) {
		dl_iterate_phdr(find_modules, NULL);
		_Unwind_Backtrace(nothing, NULL);             /* what it allocates, it allocates now */
	}
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
