package tfrnnc.codec

import java.io.FileNotFoundException
import tfrnnc.Repository
import tfrnnc.filesOf

/** The smallest exported model, and what can go wrong with it. */
class GoldenFiles : ModelFiles {
    private val files = filesOf(Repository.small(32))

    override fun read(name: String) = files.read(name)

    fun without(name: String) = ModelFiles {
        if (it == name) throw FileNotFoundException("$it: no such file") else read(it)
    }

    fun damaged(name: String) = ModelFiles {
        val content = read(it)
        if (it == name) content[content.size / 2] = (content[content.size / 2] + 1).toByte()
        content
    }
}
