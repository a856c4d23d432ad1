package tfrnnc.demo.app

import androidx.compose.foundation.Image
import androidx.compose.foundation.isSystemInDarkTheme
import androidx.compose.foundation.layout.Arrangement
import androidx.compose.foundation.layout.Box
import androidx.compose.foundation.layout.BoxWithConstraints
import androidx.compose.foundation.layout.Column
import androidx.compose.foundation.layout.ExperimentalLayoutApi
import androidx.compose.foundation.layout.FlowRow
import androidx.compose.foundation.layout.Row
import androidx.compose.foundation.layout.fillMaxHeight
import androidx.compose.foundation.layout.fillMaxSize
import androidx.compose.foundation.layout.fillMaxWidth
import androidx.compose.foundation.layout.height
import androidx.compose.foundation.layout.padding
import androidx.compose.foundation.layout.safeDrawingPadding
import androidx.compose.foundation.rememberScrollState
import androidx.compose.foundation.verticalScroll
import androidx.compose.material3.Button
import androidx.compose.material3.Card
import androidx.compose.material3.CardDefaults
import androidx.compose.material3.LinearProgressIndicator
import androidx.compose.material3.MaterialTheme
import androidx.compose.material3.OutlinedButton
import androidx.compose.material3.Slider
import androidx.compose.material3.Surface
import androidx.compose.material3.Text
import androidx.compose.material3.TextButton
import androidx.compose.material3.darkColorScheme
import androidx.compose.material3.lightColorScheme
import androidx.compose.runtime.Composable
import androidx.compose.runtime.getValue
import androidx.compose.runtime.produceState
import androidx.compose.ui.Alignment
import androidx.compose.ui.Modifier
import androidx.compose.ui.graphics.ImageBitmap
import androidx.compose.ui.layout.ContentScale
import androidx.compose.ui.res.stringResource
import androidx.compose.ui.semantics.LiveRegionMode
import androidx.compose.ui.semantics.contentDescription
import androidx.compose.ui.semantics.heading
import androidx.compose.ui.semantics.liveRegion
import androidx.compose.ui.semantics.semantics
import androidx.compose.ui.semantics.stateDescription
import androidx.compose.ui.text.style.TextAlign
import androidx.compose.ui.unit.dp
import kotlin.math.roundToInt
import kotlinx.coroutines.Dispatchers
import kotlinx.coroutines.withContext
import tfrnnc.codec.Pixels
import tfrnnc.demo.DemoState
import tfrnnc.demo.Problem

/** What the user can do. */
class DemoActions(
    val pick: () -> Unit,
    val take: () -> Unit,
    val open: () -> Unit,
    val share: () -> Unit,
    val cancel: () -> Unit,
    val dismissProblem: () -> Unit,
    val show: (bytes: Int) -> Unit,
)

/**
 * The app's only screen.
 *
 * @param state what to show.
 * @param actions what the user can do.
 * @param toImage makes an image of pixels.
 */
@Composable
fun DemoScreen(state: DemoState, actions: DemoActions, toImage: (Pixels) -> ImageBitmap) {
    val colours = if (isSystemInDarkTheme()) darkColorScheme() else lightColorScheme()
    MaterialTheme(colorScheme = colours) {
        Surface(Modifier.fillMaxSize()) {
            BoxWithConstraints(Modifier.safeDrawingPadding().padding(16.dp)) {
                if (maxWidth > maxHeight) {
                    Row(horizontalArrangement = Arrangement.spacedBy(16.dp)) {
                        Picture(state, toImage, Modifier.weight(1f).fillMaxHeight())
                        Column(Modifier.weight(1f).verticalScroll(rememberScrollState()), gaps) {
                            Title()
                            Controls(state, actions)
                        }
                    }
                } else {
                    // The picture's height is given, as what scrolls has no end to fill.
                    val height = maxHeight * PICTURE_SHARE
                    Column(Modifier.verticalScroll(rememberScrollState()), gaps) {
                        Title()
                        Picture(state, toImage, Modifier.fillMaxWidth().height(height))
                        Controls(state, actions)
                    }
                }
            }
        }
    }
}

/** Of an upright screen's height. */
private const val PICTURE_SHARE = 0.55f
private val gaps = Arrangement.spacedBy(12.dp)

@Composable
private fun Title() =
    Text(
        stringResource(R.string.app_name),
        Modifier.semantics { heading() },
        style = MaterialTheme.typography.headlineSmall,
    )

@Composable
private fun Controls(state: DemoState, actions: DemoActions) {
    if (state.picture != null) Numbers(state, actions.show)
    state.busy?.let { Progress(it, actions.cancel) }
    state.problem?.let { ProblemCard(it, actions.dismissProblem) }
    Buttons(state, actions)
}

@Composable
private fun Picture(state: DemoState, toImage: (Pixels) -> ImageBitmap, modifier: Modifier) {
    Box(modifier, contentAlignment = Alignment.Center) {
        val picture = state.picture
        if (picture == null) {
            Text(stringResource(R.string.empty), textAlign = TextAlign.Center)
        } else {
            // The picture before stays until this one is made, off the main thread.
            val image by
                produceState<ImageBitmap?>(null, picture) {
                    value = withContext(Dispatchers.Default) { toImage(picture) }
                }
            image?.let {
                Image(
                    it,
                    contentDescription = pictureWords(state),
                    Modifier.fillMaxSize(),
                    contentScale = ContentScale.Fit,
                )
            }
        }
    }
}

@Composable
private fun Numbers(state: DemoState, show: (Int) -> Unit) {
    val size = sizeWords(state)
    val slider = stringResource(R.string.slider)
    Column {
        Text(size)
        Text(timeWords(state), style = MaterialTheme.typography.bodySmall)
        if (state.downscale > 1) {
            Text(stringResource(R.string.half), style = MaterialTheme.typography.bodySmall)
        }
        if (!state.exact) {
            Text(stringResource(R.string.inexact), style = MaterialTheme.typography.bodySmall)
        }
        if (state.minBytes < state.totalBytes) {
            Slider(
                value = state.bytes.toFloat(),
                onValueChange = { show(it.roundToInt()) },
                valueRange = state.minBytes.toFloat()..state.totalBytes.toFloat(),
                modifier =
                    Modifier.semantics {
                        contentDescription = slider
                        stateDescription = size
                    },
            )
        }
    }
}

@Composable
private fun Progress(busy: DemoState.Busy, cancel: () -> Unit) {
    Row(verticalAlignment = Alignment.CenterVertically) {
        Column(Modifier.weight(1f)) {
            Text(busyWords(busy), Modifier.semantics { liveRegion = LiveRegionMode.Polite })
            if (busy.iterations == 0) {
                LinearProgressIndicator(Modifier.fillMaxWidth())
            } else {
                LinearProgressIndicator(
                    progress = { busy.iteration.toFloat() / busy.iterations },
                    Modifier.fillMaxWidth(),
                )
            }
        }
        TextButton(cancel) { Text(stringResource(R.string.cancel)) }
    }
}

@Composable
private fun ProblemCard(problem: Problem, dismiss: () -> Unit) {
    Card(
        Modifier.fillMaxWidth(),
        colors =
            CardDefaults.cardColors(
                containerColor = MaterialTheme.colorScheme.errorContainer,
                contentColor = MaterialTheme.colorScheme.onErrorContainer,
            ),
    ) {
        Row(Modifier.padding(start = 16.dp), verticalAlignment = Alignment.CenterVertically) {
            Text(
                problemWords(problem),
                Modifier.weight(1f).semantics { liveRegion = LiveRegionMode.Assertive },
            )
            TextButton(dismiss) { Text(stringResource(R.string.dismiss)) }
        }
    }
}

@OptIn(ExperimentalLayoutApi::class)
@Composable
private fun Buttons(state: DemoState, actions: DemoActions) {
    FlowRow(horizontalArrangement = Arrangement.spacedBy(8.dp)) {
        Button(actions.pick) { Text(stringResource(R.string.pick)) }
        Button(actions.take) { Text(stringResource(R.string.take)) }
        OutlinedButton(actions.open) { Text(stringResource(R.string.open)) }
        OutlinedButton(actions.share, enabled = state.picture != null) {
            Text(stringResource(R.string.share))
        }
    }
}
