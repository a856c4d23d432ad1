package tfrnnc.demo.app

import android.content.ActivityNotFoundException
import android.content.Intent
import android.graphics.Bitmap
import android.net.Uri
import android.os.Build
import android.os.Bundle
import androidx.activity.ComponentActivity
import androidx.activity.compose.setContent
import androidx.activity.enableEdgeToEdge
import androidx.activity.result.PickVisualMediaRequest
import androidx.activity.result.contract.ActivityResultContracts
import androidx.activity.viewModels
import androidx.compose.runtime.getValue
import androidx.compose.ui.graphics.asImageBitmap
import androidx.lifecycle.compose.collectAsStateWithLifecycle
import tfrnnc.codec.Pixels
import tfrnnc.demo.Problem

/** Shows the screen, and asks Android for photos and files. */
class MainActivity : ComponentActivity() {
    private val model: DemoViewModel by viewModels()

    private val pick =
        registerForActivityResult(ActivityResultContracts.PickVisualMedia()) { uri ->
            uri?.let(model::compress)
        }

    private val take =
        registerForActivityResult(ActivityResultContracts.TakePicture()) { taken ->
            if (taken) model.compressTaken()
        }

    private val open =
        registerForActivityResult(ActivityResultContracts.OpenDocument()) { uri ->
            uri?.let(model::open)
        }

    override fun onCreate(savedInstanceState: Bundle?) {
        super.onCreate(savedInstanceState)
        enableEdgeToEdge()
        val actions =
            DemoActions(
                pick = {
                    val images = ActivityResultContracts.PickVisualMedia.ImageOnly
                    launch(Problem.Kind.NO_APP) { pick.launch(PickVisualMediaRequest(images)) }
                },
                take = {
                    model.takePhoto { uri -> launch(Problem.Kind.NO_CAMERA) { take.launch(uri) } }
                },
                open = { launch(Problem.Kind.NO_APP) { open.launch(arrayOf("*/*")) } },
                share = { model.share(::share) },
                cancel = model::cancel,
                dismissProblem = model::dismissProblem,
                show = model::show,
            )
        setContent {
            val state by model.state.collectAsStateWithLifecycle()
            DemoScreen(state, actions, ::image)
        }
        if (savedInstanceState == null) receive(intent)
    }

    override fun onNewIntent(intent: Intent) {
        super.onNewIntent(intent)
        receive(intent)
    }

    /** Starts another app; without one that can do it, or that may be started, says so. */
    private fun launch(problem: Problem.Kind, start: () -> Unit) {
        try {
            start()
        } catch (_: ActivityNotFoundException) {
            model.report(problem)
        } catch (_: SecurityException) {
            model.report(problem)
        }
    }

    private fun receive(intent: Intent) {
        val uri =
            try {
                when (intent.action) {
                    Intent.ACTION_VIEW -> intent.data
                    Intent.ACTION_SEND -> stream(intent)
                    else -> null
                }
            } catch (_: RuntimeException) { // What another app sends need not be an address.
                return model.report(Problem.Kind.UNREADABLE)
            }
        uri?.let(model::receive)
    }

    private fun stream(intent: Intent): Uri? =
        if (Build.VERSION.SDK_INT >= Build.VERSION_CODES.TIRAMISU) {
            intent.getParcelableExtra(Intent.EXTRA_STREAM, Uri::class.java)
        } else {
            @Suppress("DEPRECATION") intent.getParcelableExtra(Intent.EXTRA_STREAM)
        }

    private fun share(uri: Uri) {
        val send =
            Intent(Intent.ACTION_SEND)
                .setType("application/octet-stream")
                .putExtra(Intent.EXTRA_STREAM, uri)
                .addFlags(Intent.FLAG_GRANT_READ_URI_PERMISSION)
        launch(Problem.Kind.NO_APP) {
            startActivity(Intent.createChooser(send, getString(R.string.share)))
        }
    }

    private fun image(pixels: Pixels) =
        Bitmap.createBitmap(pixels.toArgb(), pixels.width, pixels.height, Bitmap.Config.ARGB_8888)
            .asImageBitmap()
}
