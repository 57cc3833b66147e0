; The Windows firewall drops what comes by multicast to a program that it has no rule for. This allows the app, and no
; other program, to hear UDP on networks that are set to "private", and takes that back with the app.

!define NETSH '"$SYSDIR\netsh.exe" advfirewall firewall'
!define PROGRAM 'program="$INSTDIR\${APP_EXECUTABLE_FILENAME}"'

!macro forbid
  nsExec::Exec '${NETSH} delete rule name="${PRODUCT_NAME}" ${PROGRAM}'
  Pop $0
!macroend

!macro customInstall
  ; An update installs over what is there, and would add one rule more.
  !insertmacro forbid
  nsExec::Exec '${NETSH} add rule name="${PRODUCT_NAME}" dir=in action=allow protocol=UDP profile=private ${PROGRAM}'
  Pop $0
  ; Without it the app works, but sees nobody until somebody allows it.
  StrCmp $0 0 allowed
  DetailPrint "The firewall was not changed: netsh ended with $0."
  allowed:
!macroend

!macro customUnInstall
  !insertmacro forbid
!macroend
