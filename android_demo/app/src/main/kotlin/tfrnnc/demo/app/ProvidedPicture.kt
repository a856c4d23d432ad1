package tfrnnc.demo.app

import android.content.ContentResolver
import android.graphics.Bitmap
import android.graphics.BitmapFactory
import android.graphics.Canvas
import android.graphics.Color
import android.graphics.ColorSpace
import android.graphics.Matrix
import android.graphics.Paint
import android.net.Uri
import android.os.Build
import android.provider.OpenableColumns
import androidx.exifinterface.media.ExifInterface
import java.io.FileNotFoundException
import java.io.InputStream
import tfrnnc.codec.Pixels
import tfrnnc.demo.DemoPresenter
import tfrnnc.demo.PictureException
import tfrnnc.demo.PictureSource
import tfrnnc.demo.Problem
import tfrnnc.demo.readProvided

/** A photo or file that the user chose, at an address that another app answers. */
class ProvidedPicture(private val resolver: ContentResolver, private val uri: Uri) : PictureSource {
    /** Upright, in sRGB, on white where it is transparent, and reduced to what is compressed. */
    override fun pixels(): Pixels {
        val bounds = BitmapFactory.Options().apply { inJustDecodeBounds = true }
        open { BitmapFactory.decodeStream(it, null, bounds) }
        if (bounds.outWidth <= 0 || bounds.outHeight <= 0) throw unreadable()
        val (width, height) = DemoPresenter.reduced(bounds.outWidth, bounds.outHeight)
        val options =
            BitmapFactory.Options().apply {
                inSampleSize = 1
                while (bounds.outWidth / (2 * inSampleSize) >= width) inSampleSize *= 2
                if (Build.VERSION.SDK_INT >= Build.VERSION_CODES.O) {
                    inPreferredColorSpace = ColorSpace.get(ColorSpace.Named.SRGB)
                }
            }
        val bitmap = open { BitmapFactory.decodeStream(it, null, options) } ?: throw unreadable()
        return upright(bitmap, width, height, orientation())
    }

    /** The content of a file of at most [MAX_BYTES]. */
    override fun stream(): ByteArray = open { stream ->
        val content = stream.readBytes(MAX_BYTES + 1)
        if (content.size > MAX_BYTES) throw PictureException(Problem.Kind.MEMORY)
        content
    }

    /** The name of the file, without its ending. */
    override fun name(): String {
        val columns = arrayOf(OpenableColumns.DISPLAY_NAME)
        val name =
            try {
                readProvided {
                    resolver.query(uri, columns, null, null, null)?.use {
                        if (it.moveToFirst()) it.getString(0) else null
                    }
                }
            } catch (_: PictureException) {
                null // A name is no reason to fail.
            }
        return (name ?: uri.lastPathSegment ?: "photo").substringBeforeLast('.')
    }

    /** Whether the file is of a kind that its provider calls an image. */
    override fun isPicture(): Boolean =
        readProvided { resolver.getType(uri) }?.startsWith("image/") == true

    private fun orientation(): Matrix {
        val value =
            try {
                open {
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

    private fun <T> open(read: (InputStream) -> T): T = readProvided {
        (resolver.openInputStream(uri) ?: throw FileNotFoundException("$uri")).use(read)
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

    private fun unreadable() = PictureException(Problem.Kind.UNREADABLE)

    private companion object {
        /** More than a stream of as many pixels as are shown can have. */
        const val MAX_BYTES = 4 shl 20
    }
}
