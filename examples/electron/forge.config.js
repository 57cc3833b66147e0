'use strict'

module.exports = {
  outDir: 'out/forge',
  packagerConfig: {
    name: 'Who is here',
    // The system loads a native binary from a file, not from an archive.
    asar: { unpack: '**/*.node' },
    // Without it macOS 15 and later refuse the network without asking.
    extendInfo: {
      NSLocalNetworkUsageDescription: 'Shows who else uses this app on your network.'
    },
    ignore: [/^\/out\//, /^\/build\//, /^\/electron-builder\.yml$/]
  },
  // Node-API is the same in Node and in every Electron: there is nothing to build again.
  rebuildConfig: { onlyModules: [] },
  makers: [{ name: '@electron-forge/maker-zip' }]
}
