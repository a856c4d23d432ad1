import org.jetbrains.kotlin.gradle.dsl.JvmTarget

plugins {
    alias(libs.plugins.android.application)
    alias(libs.plugins.kotlin.android)
    alias(libs.plugins.kotlin.compose)
}

/** The exported model that the app carries; any of one size serves, the larger the faster. */
val exported = rootProject.layout.projectDirectory.dir("../export/conv_lstm_medium/small_256x256")

android {
    namespace = "tfrnnc.demo.app"
    compileSdk = libs.versions.compile.sdk.get().toInt()

    defaultConfig {
        applicationId = "tfrnnc.demo"
        minSdk = libs.versions.min.sdk.get().toInt()
        targetSdk = libs.versions.compile.sdk.get().toInt()
        versionCode = 1
        versionName = "0.1.0"
        testInstrumentationRunner = "androidx.test.runner.AndroidJUnitRunner"
    }

    buildFeatures { compose = true }

    compileOptions {
        sourceCompatibility = JavaVersion.toVersion(libs.versions.jvm.get())
        targetCompatibility = JavaVersion.toVersion(libs.versions.jvm.get())
    }

    // The golden vectors, for the tests on the device.
    sourceSets["androidTest"].assets.srcDir(exported.dir("golden"))
}

kotlin {
    compilerOptions {
        jvmTarget = JvmTarget.fromTarget(libs.versions.jvm.get())
        allWarningsAsErrors = true
    }
}

dependencies {
    implementation(project(":codec"))
    implementation(project(":presentation"))
    implementation(libs.litert)
    implementation(libs.core)
    implementation(libs.activity.compose)
    implementation(platform(libs.compose.bom))
    implementation(libs.compose.foundation)
    implementation(libs.compose.material3)
    implementation(libs.compose.ui)
    implementation(libs.coroutines.android)
    implementation(libs.exifinterface)
    implementation(libs.lifecycle.runtime.compose)
    implementation(libs.lifecycle.viewmodel)
    implementation(libs.lifecycle.viewmodel.savedstate)
    androidTestImplementation(libs.androidx.junit)
    androidTestImplementation(libs.androidx.test.runner)
}

/** Puts the exported model among the assets, in the folder `model`. */
abstract class CopyModel @Inject constructor(private val files: FileSystemOperations) :
    DefaultTask() {
    @get:InputFiles abstract val model: ConfigurableFileCollection

    @get:OutputDirectory abstract val assets: DirectoryProperty

    @TaskAction
    fun copy() {
        files.sync {
            from(model)
            into(assets.dir("model"))
        }
    }
}

val copyModel =
    tasks.register<CopyModel>("copyModel") {
        model.from(fileTree(exported) { include("manifest.json", "*.tflite", "entropy_model.bin") })
    }

androidComponents {
    onVariants { variant ->
        variant.sources.assets?.addGeneratedSourceDirectory(copyModel, CopyModel::assets)
    }
}
