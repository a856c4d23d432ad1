package tfrnnc.demo.app

import androidx.compose.runtime.Composable
import androidx.compose.ui.res.stringResource
import tfrnnc.demo.DemoState
import tfrnnc.demo.Problem

/** The picture on the screen, for screen readers. */
@Composable
fun pictureWords(state: DemoState): String =
    stringResource(R.string.picture, state.name.orEmpty(), state.bytes, state.totalBytes)

@Composable
fun sizeWords(state: DemoState): String =
    stringResource(
        R.string.size,
        state.bytes,
        state.totalBytes,
        state.bpp,
        state.wholeIterations,
        state.iterations,
    )

@Composable
fun timeWords(state: DemoState): String {
    val encoding = state.encodeMilliseconds
    return if (encoding == null) stringResource(R.string.time_decode, state.decodeMilliseconds)
    else stringResource(R.string.time_encode, encoding, state.decodeMilliseconds)
}

@Composable
fun busyWords(busy: DemoState.Busy): String {
    if (busy.iterations == 0) {
        return stringResource(if (busy.compressing) R.string.compressing else R.string.opening)
    }
    val words = if (busy.compressing) R.string.compressing_iteration else R.string.opening_iteration
    return stringResource(words, busy.iteration, busy.iterations)
}

@Composable
fun problemWords(problem: Problem): String = stringResource(words(problem.kind), problem.detail)

private fun words(kind: Problem.Kind): Int =
    when (kind) {
        Problem.Kind.UNREADABLE -> R.string.problem_unreadable
        Problem.Kind.NO_APP -> R.string.problem_no_app
        Problem.Kind.NO_CAMERA -> R.string.problem_no_camera
        Problem.Kind.NO_ROOM -> R.string.problem_no_room
        Problem.Kind.MEMORY -> R.string.problem_memory
        Problem.Kind.FOREIGN -> R.string.problem_foreign
        Problem.Kind.NEWER -> R.string.problem_newer
        Problem.Kind.CUT -> R.string.problem_cut
        Problem.Kind.CUT_TOO_EARLY -> R.string.problem_cut_too_early
        Problem.Kind.DAMAGED -> R.string.problem_damaged
        Problem.Kind.TOO_LARGE -> R.string.problem_too_large
        Problem.Kind.OTHER_MODEL -> R.string.problem_other_model
        Problem.Kind.MODEL -> R.string.problem_model
        Problem.Kind.IMPOSSIBLE -> R.string.problem_impossible
    }
