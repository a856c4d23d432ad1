package tfrnnc.demo.app

import androidx.compose.foundation.Image
import androidx.compose.foundation.isSystemInDarkTheme
import androidx.compose.foundation.layout.Arrangement
import androidx.compose.foundation.layout.Box
import androidx.compose.foundation.layout.Column
import androidx.compose.foundation.layout.ExperimentalLayoutApi
import androidx.compose.foundation.layout.FlowRow
import androidx.compose.foundation.layout.Row
import androidx.compose.foundation.layout.fillMaxSize
import androidx.compose.foundation.layout.fillMaxWidth
import androidx.compose.foundation.layout.padding
import androidx.compose.foundation.layout.safeDrawingPadding
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
import tfrnnc.demo.Texts

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
            Column(
                Modifier.safeDrawingPadding().padding(16.dp),
                verticalArrangement = Arrangement.spacedBy(12.dp),
            ) {
                Text(
                    Texts.TITLE,
                    Modifier.semantics { heading() },
                    style = MaterialTheme.typography.headlineSmall,
                )
                Picture(state, toImage, Modifier.weight(1f).fillMaxWidth())
                if (state.picture != null) Numbers(state, actions.show)
                state.busy?.let { Progress(it, actions.cancel) }
                state.problem?.let { Problem(it, actions.dismissProblem) }
                Buttons(state, actions)
            }
        }
    }
}

@Composable
private fun Picture(state: DemoState, toImage: (Pixels) -> ImageBitmap, modifier: Modifier) {
    Box(modifier, contentAlignment = Alignment.Center) {
        val picture = state.picture
        if (picture == null) {
            Text(Texts.EMPTY, textAlign = TextAlign.Center)
        } else {
            // The picture before stays until this one is made, off the main thread.
            val image by
                produceState<ImageBitmap?>(null, picture) {
                    value = withContext(Dispatchers.Default) { toImage(picture) }
                }
            image?.let {
                Image(
                    it,
                    contentDescription = Texts.picture(state),
                    Modifier.fillMaxSize(),
                    contentScale = ContentScale.Fit,
                )
            }
        }
    }
}

@Composable
private fun Numbers(state: DemoState, show: (Int) -> Unit) {
    Column {
        Text(Texts.size(state))
        Text(Texts.time(state), style = MaterialTheme.typography.bodySmall)
        if (!state.exact) Text(Texts.INEXACT, style = MaterialTheme.typography.bodySmall)
        if (state.minBytes < state.totalBytes) {
            Slider(
                value = state.bytes.toFloat(),
                onValueChange = { show(it.roundToInt()) },
                valueRange = state.minBytes.toFloat()..state.totalBytes.toFloat(),
                modifier =
                    Modifier.semantics {
                        contentDescription = Texts.SLIDER
                        stateDescription = Texts.size(state)
                    },
            )
        }
    }
}

@Composable
private fun Progress(busy: DemoState.Busy, cancel: () -> Unit) {
    Row(verticalAlignment = Alignment.CenterVertically) {
        Column(Modifier.weight(1f)) {
            Text(Texts.busy(busy), Modifier.semantics { liveRegion = LiveRegionMode.Polite })
            if (busy.iterations == 0) {
                LinearProgressIndicator(Modifier.fillMaxWidth())
            } else {
                LinearProgressIndicator(
                    progress = { busy.iteration.toFloat() / busy.iterations },
                    Modifier.fillMaxWidth(),
                )
            }
        }
        TextButton(cancel) { Text(Texts.CANCEL) }
    }
}

@Composable
private fun Problem(problem: String, dismiss: () -> Unit) {
    Card(
        Modifier.fillMaxWidth(),
        colors =
            CardDefaults.cardColors(
                containerColor = MaterialTheme.colorScheme.errorContainer,
                contentColor = MaterialTheme.colorScheme.onErrorContainer,
            ),
    ) {
        Row(Modifier.padding(start = 16.dp), verticalAlignment = Alignment.CenterVertically) {
            Text(problem, Modifier.weight(1f).semantics { liveRegion = LiveRegionMode.Assertive })
            TextButton(dismiss) { Text(Texts.DISMISS) }
        }
    }
}

@OptIn(ExperimentalLayoutApi::class)
@Composable
private fun Buttons(state: DemoState, actions: DemoActions) {
    FlowRow(horizontalArrangement = Arrangement.spacedBy(8.dp)) {
        Button(actions.pick) { Text(Texts.PICK) }
        Button(actions.take) { Text(Texts.TAKE) }
        OutlinedButton(actions.open) { Text(Texts.OPEN) }
        OutlinedButton(actions.share, enabled = state.picture != null) { Text(Texts.SHARE) }
    }
}
