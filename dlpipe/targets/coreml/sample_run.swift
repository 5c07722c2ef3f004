// How to call this model from Swift, on macOS 13 or later: swift run.swift
// (written to Apple's documented interface, and not compiled where this package was made: Core ML is on Apple's systems)
//
// Every input is filled with zeros, the first number of each output is printed. In an app, put model.mlpackage into the
// Xcode project, which compiles it and makes a class for it.
import CoreML
import Foundation

let folder = URL(fileURLWithPath: CommandLine.arguments[0]).deletingLastPathComponent()
let compiled = try MLModel.compileModel(at: folder.appendingPathComponent("model.mlpackage"))
let settings = MLModelConfiguration()
settings.computeUnits = .all  // .cpuOnly to compare results, .cpuAndNeuralEngine to leave the GPU to others
let model = try MLModel(contentsOf: compiled, configuration: settings)

var inputs: [String: MLFeatureValue] = [:]
for (name, description) in model.modelDescription.inputDescriptionsByName {
  let wanted = description.multiArrayConstraint!
  let array = try MLMultiArray(shape: wanted.shape, dataType: wanted.dataType)
  for index in 0..<array.count { array[index] = 0 }
  inputs[name] = MLFeatureValue(multiArray: array)
}
let outputs = try model.prediction(from: MLDictionaryFeatureProvider(dictionary: inputs))
for name in outputs.featureNames.sorted() {
  let array = outputs.featureValue(for: name)!.multiArrayValue!
  print(name, array.shape, array.count > 0 ? array[0] : "empty")
}
