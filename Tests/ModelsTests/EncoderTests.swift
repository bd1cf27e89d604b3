import Autograd
import Compute
import Models
import TestSupport
import Testing

/// What a discriminator reads of a score network (arXiv 2410.14919), against the official implementation's numbers.
@Suite("Features on the way")
struct EncoderTests {
  static let names = ["losses_a", "losses_b"]

  private struct Case {
    let recorded: Recorded
    let network: Network
    let noisy: Tensor, sigma: [Float]
    let classLabels: Tensor?, augmentLabels: Tensor

    init(_ name: String) throws {
      recorded = try Recorded("golden/sida/\(name).h5")
      network = try Network(recorded: recorded, weights: "weights/fake_score")
      noisy = try recorded.images("fake_step/noisy_fake")
      sigma = try recorded.tensor("fake_step/sigma").values
      let labels = try recorded.tensor("class_labels")
      classLabels = labels.shape[1] > 0 ? labels : nil
      augmentLabels = try recorded.tensor("fake_step/augment_labels_fake")
    }

    func encode(_ network: BoundNetwork, _ x: Variable) -> EncodedImages {
      network.encode(x, sigma: sigma, classLabels: classLabels, augmentLabels: augmentLabels)
    }

    /// The mean over channels, [N, 1, h, w].
    static func logits(_ features: Tensor) -> [Float] {
      let channels = features.shape[3]
      let values = features.values
      return stride(from: 0, to: values.count, by: channels).map {
        Float(values[$0..<$0 + channels].reduce(0.0) { $0 + Double($1) } / Double(channels))
      }
    }
  }

  @Test("Alone and beside the output they are the official ones", arguments: names)
  func values(name: String) throws {
    try KernelSet.with(.exact) {
      let c = try Case(name)
      let expected = try c.recorded.tensor("fake_step/logits_fake").values
      var encoded = c.encode(c.network.bound(), Variable(c.noisy))
      #expect(Distance(Case.logits(encoded.features.value), expected).relative <= 1e-5)
      let output = Distance(
        encoded.denoise().value.nchw.values, try c.recorded.tensor("fake_step/fake_score_output").values)
      #expect(output.maximum <= 2e-5, "\(output)")
    }
  }

  @Test("Gradients flow from them to the encoder and the images, and beside those of the output", arguments: names)
  func gradients(name: String) throws {
    try KernelSet.with(.exact) {
      let c = try Case(name)
      func run(features: Bool, output: Bool) -> (parameters: [Tensor?], images: Tensor?) {
        let tape = Tape()
        let (network, x) = (c.network.bound(to: tape), tape.variable(c.noisy))
        var encoded = c.encode(network, x)
        var starts: [(output: Variable, gradient: Tensor)] = []
        if features {
          let f = encoded.features
          starts.append((f, Tensor(shape: f.shape, repeating: 0.25)))
        }
        if output {
          let y = encoded.denoise()
          starts.append((y, Tensor(shape: y.shape, repeating: 0.5)))
        }
        tape.backward(from: starts)
        return (network.gradients, x.gradient)
      }
      let (alone, beside, both) = (
        run(features: true, output: false), run(features: false, output: true), run(features: true, output: true)
      )
      for (index, specification) in c.network.specifications.enumerated() where specification.isTrainable {
        if specification.name.contains(".dec.") || specification.name.contains(".out_") {
          #expect(alone.parameters[index] == nil, "\(specification.name) lies behind the encoder")
          #expect(both.parameters[index]?.values == beside.parameters[index]?.values)
          continue
        }
        let a = try #require(alone.parameters[index], "\(specification.name)").values
        let b = try #require(beside.parameters[index], "\(specification.name)").values
        let sum = try #require(both.parameters[index], "\(specification.name)").values
        let distance = Distance(sum, zip(a, b).map(+))
        #expect(distance.relative < 1e-4 || distance.maximum < 1e-4, "\(specification.name): \(distance)")
      }
      let images = try #require(both.images).values
      let apart = zip(try #require(alone.images).values, try #require(beside.images).values).map(+)
      #expect(Distance(images, apart).relative < 1e-5)
    }
  }
}
