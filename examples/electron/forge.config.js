'use strict'

module.exports = {
  outDir: 'out/forge',
  packagerConfig: {
    name: 'Who is here',
    asar: true,
    // Without it macOS 15 and later refuse the network without asking.
    extendInfo: {
      NSLocalNetworkUsageDescription: 'Shows who else uses this app on your network.'
    },
    ignore: [/^\/out\//, /^\/build\//, /^\/electron-builder\.yml$/]
  },
  // Node-API is the same in Node and in every Electron: there is nothing to build again.
  rebuildConfig: { onlyModules: [] },
  plugins: [
    // The system loads a native binary from a file, not from an archive.
    { name: '@electron-forge/plugin-auto-unpack-natives', config: {} }
  ],
  makers: [{ name: '@electron-forge/maker-zip' }]
}
