import ArgumentParser
import Compute
import Diagnostics
import Files
import Images
import OptionValues
import Records
import Stage

/// `sid-convert dataset SOURCE --output FILE`.
struct DatasetCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "dataset",
    abstract: "Make a data set in EDM's layout of pictures.",
    discussion: """
      PNG, JPEG, PPM, PGM and PBM pictures of any size and mode, told by their content, become square PNG images of 8 bits \
      in a stored zip with a dataset.json: gray where all are gray, else RGB. They are turned as viewers show them (EXIF) and \
      resized with Lanczos' filter; colour profiles are not applied. Their order is that of their names, in a tar archive as \
      they lie in it.

      A dataset.json in the source gives the classes, or says with null that there are none. Without one, the class of a \
      picture is the folder that it lies in directly beneath the source (folders that all pictures share are passed over), in \
      the order of their names; pictures that lie in none, or all in one, have no classes.

      Pictures that are broken or in other formats are left out, said on stderr, and listed in NAME.json with the reason. \
      One of more than 2^28 pixels, or with a file of more than 256 MiB, is left out as well.
      """)

  @Argument(
    help: ArgumentHelp("A folder, flat or nested, a zip or a tar archive of pictures.", valueName: "source"))
  var source: String

  @Option(
    help: ArgumentHelp("The zip to write. Beside it, NAME.json describes it.", valueName: "file"))
  var output: String

  @Option(
    DatasetValues.resolution,
    help: ArgumentHelp(
      "The side of the images in pixels, up to 8192, or WIDTHxHEIGHT for center-crop-wide. (default: that of the pictures, "
        + "which have to be squares of one size)", valueName: "size"))
  var resolution: PictureSize?

  @Option(
    DatasetValues.transform,
    help: ArgumentHelp(
      "What is resized: center-crop, the largest square in the middle; center-crop-wide, the largest part in the middle of "
        + "the proportions WIDTHxHEIGHT, put between black bars above and below (smaller pictures are left out).",
      valueName: "name"))
  var transform: PictureTransformName

  @Option(
    DatasetValues.background,
    help: ArgumentHelp(
      "The colour behind transparent pictures: white, gray, black, or red, green and blue in six hexadecimal digits.",
      valueName: "colour"))
  var background: ColourText

  @OptionGroup var expected: ExpectedInputs
  @OptionGroup var stage: StageOptions

  func validate() throws {
    try DatasetRelations(resolution: resolution, transform: transform, digests: expected.digests).validate()
  }

  func run() throws {
    StageProgram.run(SidConvert.program, on: output, options: stage, writing: [OutputPlace(output)]) { context in
      try OtherFile.require(source, output)
      try OtherFile.requireOutside(source, output)
      Threads.use(context.threads)
      let pictures = try StoredPictures(source)
      let provenance = Provenance(
        program: SidConvert.program + " dataset",
        inputs: ["source": try Provenance.Input(source.trimmingTrailingSlashes, sha256: try pictures.sha256())],
        options: options)
      try expected.check(provenance)
      let recorder = StepRecorder(output: output, stage: "dataset")
      if try isFinished(recorder, provenance) {
        return context.note("\(output): made from the same pictures already; nothing to do")
      }
      let making = DatasetMaking(
        pictures: pictures, transform: PictureTransform(form, background: background.samples),
        hasResolution: resolution != nil, output: output, recorder: recorder, provenance: provenance,
        context: context)
      if stage.dryRun { return try making.estimate() }
      try making.run()
    }
  }

  /// What decides over the images.
  private var options: [String: String] {
    var options = ["transform": transform.rawValue, "background": background.description]
    options["resolution"] = resolution?.description
    return options
  }

  private var form: PictureTransform.Form {
    guard let resolution else { return .whole }
    switch transform {
    case .centerCrop: return .centerCrop(resolution.width)
    case .centerCropWide: return .centerCropWide(width: resolution.width, height: resolution.height)
    }
  }

  /// Whether the output stands there, and its record, which is completed where a run was cut short before it. A zip has no
  /// place for what it was made from: the record says it, or the draft of one.
  private func isFinished(_ recorder: StepRecorder, _ provenance: Provenance) throws -> Bool {
    let state = try FinishedOutput.check(output, wanted: provenance, overwrite: stage.overwrite) { _ in
      try recorder.recordedProvenance()
    }
    guard state == .same, let existing = try recorder.recordedProvenance() else { return false }
    if try recorder.isFinished(wanted: provenance, promising: [output]) { return true }
    guard !stage.dryRun, try recorder.kept(provenance: existing) != nil else { return false }
    try recorder.publish(provenance: existing, files: [output])
    return true
  }
}
