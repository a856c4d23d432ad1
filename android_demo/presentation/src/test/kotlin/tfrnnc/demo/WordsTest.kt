package tfrnnc.demo

import java.io.File
import java.util.Locale
import javax.xml.parsers.DocumentBuilderFactory
import kotlin.test.Test
import kotlin.test.assertEquals
import org.w3c.dom.Element

/** The app's words, as Android formats them: each with the values that the screen gives it. */
class WordsTest {
    private val words: Map<String, String> by lazy {
        val file = File("../app/src/main/res/values/strings.xml")
        val nodes =
            DocumentBuilderFactory.newInstance()
                .newDocumentBuilder()
                .parse(file)
                .getElementsByTagName("string")
        List(nodes.length) { nodes.item(it) as Element }
            .associate { it.getAttribute("name") to it.textContent }
    }

    private fun said(name: String, vararg values: Any) =
        String.format(Locale.US, words.getValue(name), *values)

    @Test
    fun `numbers are where they belong`() {
        assertEquals("cat, shown from 1,234 of 5,678 bytes", said("picture", "cat", 1234, 5678))
        assertEquals(
            "1,234 of 5,678 bytes · 1.234 bpp · iteration 2 of 8",
            said("size", 1234, 5678, 1.234, 2, 8),
        )
        assertEquals("shown in 20 ms", said("time_decode", 20L))
        assertEquals("compressed in 1500 ms · shown in 20 ms", said("time_encode", 1500L, 20L))
        assertEquals("Compressing: iteration 3 of 8", said("compressing_iteration", 3, 8))
        assertEquals("Opening: iteration 3 of 8", said("opening_iteration", 3, 8))
    }

    @Test
    fun `there are words for each kind of problem, with its detail where it has one`() {
        val kinds = Problem.Kind.entries.associateBy { "problem_${it.name.lowercase()}" }
        assertEquals(kinds.keys, words.keys.filter { it.startsWith("problem_") }.toSet())
        for ((name, kind) in kinds) {
            val detailed = kind in setOf(Problem.Kind.MODEL, Problem.Kind.IMPOSSIBLE)
            assertEquals(detailed, "the detail" in said(name, "the detail"), name)
        }
    }

    @Test
    fun `quotes are those of print, as others are Android's own`() {
        assertEquals(emptyMap(), words.filterValues { "'" in it || '"' in it })
    }
}
