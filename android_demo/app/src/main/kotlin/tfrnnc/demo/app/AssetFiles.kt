package tfrnnc.demo.app

import android.content.res.AssetManager
import tfrnnc.codec.ModelFiles

/** The exported model among the app's assets. */
class AssetFiles(private val assets: AssetManager) : ModelFiles {
    override fun read(name: String): ByteArray = assets.open("model/$name").use { it.readBytes() }
}
