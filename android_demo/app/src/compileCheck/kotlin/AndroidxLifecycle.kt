@file:Suppress("unused", "UNUSED_PARAMETER")

package androidx.lifecycle

import android.app.Application
import kotlinx.coroutines.CoroutineScope

abstract class ViewModel {
    protected open fun onCleared(): Unit = TODO()
}

open class AndroidViewModel(application: Application) : ViewModel() {
    open fun <T : Application> getApplication(): T = TODO()
}

class SavedStateHandle {
    operator fun <T> get(key: String): T? = TODO()

    operator fun <T> set(key: String, value: T?): Unit = TODO()
}

val ViewModel.viewModelScope: CoroutineScope
    get() = TODO()
