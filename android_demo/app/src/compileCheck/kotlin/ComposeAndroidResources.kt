@file:Suppress("unused", "UNUSED_PARAMETER")

package androidx.compose.ui.res

import androidx.compose.runtime.Composable

// The desktop's Compose has no resources of Android.
@Composable fun stringResource(id: Int): String = TODO()

@Composable fun stringResource(id: Int, vararg formatArgs: Any): String = TODO()
