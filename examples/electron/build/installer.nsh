; The Windows firewall drops what comes by multicast to a program that it has no rule for. This allows the app, and no
; other program, to hear UDP on networks that are set to "private", and takes that back with the app.

!macro customInstall
  ; An update installs over what is there: without this, each would add one rule more.
  nsExec::Exec 'netsh advfirewall firewall delete rule name="${PRODUCT_NAME}" program="$INSTDIR\${APP_EXECUTABLE_FILENAME}"'
  Pop $0
  nsExec::Exec 'netsh advfirewall firewall add rule name="${PRODUCT_NAME}" dir=in action=allow protocol=UDP profile=private program="$INSTDIR\${APP_EXECUTABLE_FILENAME}"'
  Pop $0
  ; The app works without, but sees nobody until somebody allows it.
  StrCmp $0 0 +2
  DetailPrint "The firewall was not changed (netsh: $0)."
!macroend

!macro customUnInstall
  nsExec::Exec 'netsh advfirewall firewall delete rule name="${PRODUCT_NAME}" program="$INSTDIR\${APP_EXECUTABLE_FILENAME}"'
  Pop $0
!macroend
