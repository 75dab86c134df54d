#include "cli/study.h"

static int write_all(struct hs_run *run, const struct hs_study *study, const struct hs_pixels *px, void *result,
	struct hs_err *err)
{
	struct hs_out *out;
	if (hs_session_output(run, px->in, NULL, NULL, &out, err) < 0)
		return -1;
	if (study->write(run, out, px, result, err) < 0) {
		hs_out_abandon(out);
		return -1;
	}
	return hs_session_commit(run, out, px->in, px->index, err);
}

static int work(struct hs_run *run, const struct hs_study *study, struct hs_in *in, size_t signal, void *result,
	struct hs_err *err)
{
	struct hs_pixels px = { 0 };
	struct hs_reading reading = study->reading;
	size_t n_pix, n_chan;
	hs_pixels_count(hs_in_signal(in, signal), &n_pix, &n_chan);
	if (hs_session_dry(run, "%s %zu spectra of %zu channels", study->does, n_pix, n_chan))
		return 0;
	if (hs_session_memory(run, study->bytes(run, n_pix, n_chan), &reading.memory, err) < 0)
		return -1;
	int verdict = hs_pixels_open(&px, run, in, signal, &reading, err);
	if (verdict == 0)
		verdict = study->compute(run, &px, result, err);
	if (verdict == 0)
		verdict = write_all(run, study, &px, result, err);
	if (verdict == 0 && study->report)
		study->report(run, result);
	hs_pixels_close(&px);
	return verdict;
}

int hs_study_run(struct hs_run *run, const struct hs_study *study, void *result, struct hs_err *err)
{
	struct hs_in *in;
	size_t signal;
	if (hs_session_input(run, 0, &in, &signal, err) < 0)
		return -1;
	const int verdict = work(run, study, in, signal, result, err);
	hs_in_close(in);
	return verdict;
}
