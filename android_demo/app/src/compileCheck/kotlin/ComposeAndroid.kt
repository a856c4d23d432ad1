@file:Suppress("unused", "UnusedReceiverParameter")

package androidx.compose.ui.graphics

import android.graphics.Bitmap

// The desktop's Compose has all that the app uses but this.
fun Bitmap.asImageBitmap(): ImageBitmap = TODO()
