package tfrnnc.demo

import tfrnnc.codec.Pixels

/**
 * What the screen shows.
 *
 * @property name of the picture or file; null before the first one.
 * @property picture that the first [bytes] of the stream give; null if there is none.
 * @property bytes of the stream that are shown, the slider's place.
 * @property totalBytes of the stream.
 * @property minBytes that give a picture, the slider's beginning.
 * @property wholeIterations how many iterations the shown bytes hold whole.
 * @property iterations of the stream.
 * @property downscale 2 if the stream is coded at half the picture's width and height, else 1.
 * @property encodeMilliseconds that compressing took; null for a file that was opened.
 * @property decodeMilliseconds that the shown picture took; 0 if it was at hand.
 * @property exact whether other clients show the same picture.
 * @property busy what is going on; null if nothing is.
 * @property problem what went wrong; null if nothing did.
 */
data class DemoState(
    val name: String? = null,
    val picture: Pixels? = null,
    val bytes: Int = 0,
    val totalBytes: Int = 0,
    val minBytes: Int = 0,
    val wholeIterations: Int = 0,
    val iterations: Int = 0,
    val downscale: Int = 1,
    val encodeMilliseconds: Long? = null,
    val decodeMilliseconds: Long = 0,
    val exact: Boolean = true,
    val busy: Busy? = null,
    val problem: Problem? = null,
) {
    /** Bits per pixel of the shown bytes; the pixels are those of the shown picture. */
    val bpp: Double
        get() = picture?.let { 8.0 * bytes / (it.width.toDouble() * it.height) } ?: 0.0

    /**
     * Work that takes a while.
     *
     * @property compressing whether a picture is compressed; else one is opened.
     * @property iteration that is done, counted from one.
     * @property iterations in all; 0 if that is not known yet.
     */
    data class Busy(val compressing: Boolean, val iteration: Int = 0, val iterations: Int = 0)
}
