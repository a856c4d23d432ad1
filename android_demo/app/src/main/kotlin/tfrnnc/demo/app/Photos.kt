package tfrnnc.demo.app

import android.content.ContentResolver
import android.graphics.Bitmap
import android.graphics.BitmapFactory
import android.graphics.Canvas
import android.graphics.Color
import android.graphics.Matrix
import android.graphics.Paint
import android.media.ExifInterface
import android.net.Uri
import android.provider.OpenableColumns
import java.io.FileNotFoundException
import java.io.IOException
import java.io.InputStream
import tfrnnc.codec.Pixels
import tfrnnc.demo.DemoPresenter
import tfrnnc.demo.PictureException
import tfrnnc.demo.Texts

/** Photos and files that the user chose. */
class Photos(private val resolver: ContentResolver) {
    /**
     * Reads a picture: upright, on white where it is transparent, and reduced to what the codec
     * takes here.
     *
     * @throws PictureException if it cannot be read.
     */
    fun read(uri: Uri): Pixels {
        val bounds = BitmapFactory.Options().apply { inJustDecodeBounds = true }
        open(uri) { BitmapFactory.decodeStream(it, null, bounds) }
        if (bounds.outWidth <= 0 || bounds.outHeight <= 0) throw unreadable()
        val (width, height) = DemoPresenter.reduced(bounds.outWidth, bounds.outHeight)
        val options =
            BitmapFactory.Options().apply {
                inSampleSize = 1
                while (bounds.outWidth / (2 * inSampleSize) >= width) inSampleSize *= 2
            }
        val bitmap =
            open(uri) { BitmapFactory.decodeStream(it, null, options) } ?: throw unreadable()
        return upright(bitmap, width, height, orientation(uri))
    }

    /**
     * Reads a file, of at most [MAX_BYTES].
     *
     * @throws PictureException if it cannot be read.
     */
    fun readFile(uri: Uri): ByteArray =
        open(uri) { stream ->
            val content = stream.readBytes(MAX_BYTES + 1)
            if (content.size > MAX_BYTES) throw PictureException(Texts.MEMORY)
            content
        }

    /** The name of a file, without its ending. */
    fun name(uri: Uri): String {
        val found =
            try {
                resolver.query(uri, arrayOf(OpenableColumns.DISPLAY_NAME), null, null, null)?.use {
                    if (it.moveToFirst()) it.getString(0) else null
                }
            } catch (_: RuntimeException) {
                // Other apps' providers throw what they like; a name is no reason to fail.
                null
            }
        return (found ?: uri.lastPathSegment ?: "photo").substringBeforeLast('.')
    }

    /** Whether a file is a picture that Android knows. */
    fun isPicture(uri: Uri): Boolean = resolver.getType(uri)?.startsWith("image/") == true

    private fun orientation(uri: Uri): Matrix {
        val value =
            try {
                open(uri) {
                    ExifInterface(it)
                        .getAttributeInt(
                            ExifInterface.TAG_ORIENTATION,
                            ExifInterface.ORIENTATION_NORMAL,
                        )
                }
            } catch (_: PictureException) {
                ExifInterface.ORIENTATION_NORMAL
            }
        return Matrix().apply {
            when (value) {
                ExifInterface.ORIENTATION_FLIP_HORIZONTAL -> setScale(-1f, 1f)
                ExifInterface.ORIENTATION_ROTATE_180 -> setRotate(180f)
                ExifInterface.ORIENTATION_FLIP_VERTICAL -> setScale(1f, -1f)
                ExifInterface.ORIENTATION_TRANSPOSE -> {
                    setRotate(90f)
                    postScale(-1f, 1f)
                }
                ExifInterface.ORIENTATION_ROTATE_90 -> setRotate(90f)
                ExifInterface.ORIENTATION_TRANSVERSE -> {
                    setRotate(-90f)
                    postScale(-1f, 1f)
                }
                ExifInterface.ORIENTATION_ROTATE_270 -> setRotate(-90f)
            }
        }
    }

    private fun upright(bitmap: Bitmap, width: Int, height: Int, orientation: Matrix): Pixels {
        val scaled = Bitmap.createScaledBitmap(bitmap, width, height, true)
        val turned = Bitmap.createBitmap(scaled, 0, 0, width, height, orientation, true)
        val opaque = Bitmap.createBitmap(turned.width, turned.height, Bitmap.Config.ARGB_8888)
        Canvas(opaque).apply {
            drawColor(Color.WHITE)
            drawBitmap(turned, 0f, 0f, Paint())
        }
        val colours = IntArray(opaque.width * opaque.height)
        opaque.getPixels(colours, 0, opaque.width, 0, 0, opaque.width, opaque.height)
        return Pixels.fromArgb(opaque.width, opaque.height, colours)
    }

    private fun <T> open(uri: Uri, read: (InputStream) -> T): T =
        try {
            (resolver.openInputStream(uri) ?: throw FileNotFoundException("$uri")).use(read)
        } catch (error: IOException) {
            throw PictureException(Texts.UNREADABLE, error)
        } catch (error: SecurityException) {
            throw PictureException(Texts.UNREADABLE, error)
        }

    private fun InputStream.readBytes(most: Int): ByteArray {
        val buffer = ByteArray(most)
        var size = 0
        while (size < most) {
            val count = read(buffer, size, most - size)
            if (count < 0) break
            size += count
        }
        return buffer.copyOf(size)
    }

    private fun unreadable() = PictureException(Texts.UNREADABLE)

    private companion object {
        /** More than a stream of as many pixels as are shown can have. */
        const val MAX_BYTES = 4 shl 20
    }
}
