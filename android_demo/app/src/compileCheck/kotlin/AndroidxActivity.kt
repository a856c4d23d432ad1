@file:Suppress("unused", "UNUSED_PARAMETER")

package androidx.activity

import android.app.Activity
import android.content.Intent
import androidx.activity.result.ActivityResultLauncher
import androidx.activity.result.contract.ActivityResultContract
import androidx.lifecycle.ViewModel

// Signatures alone: androidx.activity is in Google's repository only.
open class ComponentActivity : Activity() {
    fun <I, O> registerForActivityResult(
        contract: ActivityResultContract<I, O>,
        callback: (O) -> Unit,
    ): ActivityResultLauncher<I> = TODO()

    override fun onNewIntent(intent: Intent): Unit = TODO()
}

fun ComponentActivity.enableEdgeToEdge(): Unit = TODO()

inline fun <reified VM : ViewModel> ComponentActivity.viewModels(): Lazy<VM> = TODO()
